"""The simulated card processor on a table in memory, reached by its adapter as the deployed one is; nobody waits."""

from __future__ import annotations

import io
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ReadTimeoutError

from payments import simulator, simulator_calls, simulator_notices
from payments.simulator_book import Book
from tests.support.memory import MemoryTable

if TYPE_CHECKING:
    import pytest

    from hms.tasks import Payload

SECRET = "simulated"


class Processor:
    """`left` is what it has asked itself to do later; `do_what_is_left` does it. `down` lets no request through."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, table: MemoryTable | None = None) -> None:
        self.table = table or MemoryTable()
        self.left: list[Payload] = []
        self.down = False
        self._slept = threading.local()
        monkeypatch.setattr(simulator, "book", Book(self.table))
        monkeypatch.setattr(simulator_calls, "_client", lambda: self)
        monkeypatch.setenv("PAYMENTS_SIMULATOR", "hms-payments-simulator:live")
        monkeypatch.setenv("SIMULATOR_SECRET", SECRET)
        for module in (simulator, simulator_notices):
            monkeypatch.setattr(module, "time", SimpleNamespace(sleep=self._sleep))

    def invoke(self, *, FunctionName: str, Payload: bytes, InvocationType: str = "RequestResponse") -> dict[str, Any]:  # noqa: N803
        if self.down:
            raise ReadTimeoutError(endpoint_url=FunctionName)
        if InvocationType == "Event":
            self.left.append(json.loads(Payload))
            return {"StatusCode": 202}
        self._slept.seconds = 0
        try:
            answer = simulator.handler(json.loads(Payload))
        except Exception:  # noqa: BLE001  (Lambda answers whatever was raised)
            return {"FunctionError": "Unhandled", "Payload": io.BytesIO(b"{}")}
        if self._slept.seconds > simulator_calls.ANSWER_SECONDS:
            raise ReadTimeoutError(endpoint_url=FunctionName)
        return {"Payload": io.BytesIO(json.dumps(answer).encode())}

    def do_what_is_left(self) -> list[str]:
        """The outcomes."""
        left, self.left = self.left, []
        return [simulator.handler(payload)["outcome"] for payload in left]

    def _sleep(self, seconds: float) -> None:
        self._slept.seconds = getattr(self._slept, "seconds", 0) + seconds


class Listener:
    """Takes what is posted to it, on this machine; `answers` are the statuses it gives in turn, then 200."""

    def __init__(self, *answers: int) -> None:
        self.posts: list[tuple[dict[str, str], bytes]] = []
        self._answers = list(answers)
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                listener.posts.append((dict(self.headers), body))
                self.send_response(listener._answers.pop(0) if listener._answers else 200)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_words: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1/payments/webhooks/simulator"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
