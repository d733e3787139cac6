"""S3: how often the critical path goes to AWS, on the table that counts and on a client that answers from memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.bench.calls import Calls, Operation, counted, operations

ROOT = Path(__file__).parents[3]
# A process of its own: clients that other tests have made would not be counted.
PROBE = """
import json, botocore.session
made = []
create = botocore.session.Session.create_client
botocore.session.Session.create_client = lambda self, name, *a, **k: made.append(name) or create(self, name, *a, **k)
from tools.bench import canned, ours, scene, token as signing
token, jwk = signing.signed()
handler = ours.prepare(jwk)
asked = {}
for name, event in {"first": scene.get_event, "read": scene.get_event, "book": scene.post_event}.items():
    canned.calls.clear()
    status = handler(event(token))["statusCode"]
    asked[name] = [status, *canned.calls]
open(1, "w").write(chr(10) + json.dumps({"clients": made, **asked}))
"""
SETTINGS = {
    "TABLE_NAME": "probe",
    "IDENTITY_TABLE": "probe",
    "STAGE": "bench",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
}


@pytest.mark.parametrize("operation", operations(), ids=lambda operation: operation.what)
def test_the_critical_path_takes_no_more_calls_than_promised(operation: Operation) -> None:
    assert operation.calls == operation.target


def test_the_bench_says_which_targets_are_met() -> None:
    rows = counted()

    assert [row[1] for row in rows] == [
        f"AWS calls: {what}" for what in ("book", "read by id", "list", "cancel", "log in")
    ]
    assert all(row[-1] for row in rows)
    assert str(Calls(1, 1, 1)) == "1 read + 1 commit + 1 signature"


def test_an_api_function_makes_one_client_and_asks_no_more_than_it_needs() -> None:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), **SETTINGS}
    result = subprocess.run(
        [sys.executable, "-c", PROBE], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    seen = json.loads(result.stdout.splitlines()[-1])

    assert seen["clients"] == ["dynamodb"]
    # The published keys are read with the first request and then every 30 seconds.
    assert seen["first"] == [200, "GetItem", "BatchGetItem"]
    assert seen["read"] == [200, "BatchGetItem"]
    assert seen["book"] == [201, "BatchGetItem", "TransactWriteItems"]
