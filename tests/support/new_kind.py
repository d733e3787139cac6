"""A message of a domain that is not there, made of data only: `python -m tests.support.new_kind` tells of a bill.

It runs in a process of its own, in front of a copy of notifications that has the data.
"""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from typing import Any

from hms import ids
from hms.events import Event
from notifications import service
from notifications.rendering import check
from notifications.shipped import places, samples, shipped
from tests.support.notifications import NOW, PATIENT, PostOffice

KIND = "bill-issued"
SUBJECT = {
    "id": "bill_id",
    "people": {"patient": "patient_id"},
    "owner": "BILLING_TASKS",
    "events": ["billing.issued.v1", "billing.paid.v1"],
}
ROW = {"subject": "bill", "on": "billing.issued.v1", "stands": {"among": {"status": ["DUE"]}}}
SAMPLES = [{"bill": {"number": "2026-00042", "status": "DUE", "total": {"amount": "1500.00", "currency": "INR"}}}]
_EN = "{{ patient.name }}, your bill {{ bill.number }} is {{ bill.total|money }}. {{ clinic.name }}\n"
_HI = "{{ patient.name }} जी, आपका बिल {{ bill.number }}: {{ bill.total|money }}। {{ clinic.name }}\n"
WORDING = {
    "sms.en.txt": _EN,
    "sms.hi.txt": _HI,
    "email.en.txt": f"Subject: Your bill {{{{ bill.number }}}}\n\n{_EN}",
    "email.hi.txt": f"Subject: आपका बिल {{{{ bill.number }}}}\n\n{_HI}",
    "push.en.txt": "Subject: Your bill\n\n{{ bill.total|money }}\n",
    "push.hi.txt": "Subject: आपका बिल\n\n{{ bill.total|money }}\n",
}


def happens(post: PostOffice, what: str, version: int, status: str) -> None:
    bill: dict[str, Any] = SAMPLES[0]["bill"]
    bill_id = ids.derived("test", "bill")
    data = {**bill, "bill_id": bill_id, "patient_id": PATIENT, "status": status, "version": version}
    event = Event(
        id=ids.derived("test", what),
        type=f"billing.{what}.v1",
        source="/hms/billing",
        subject=bill_id,
        time=NOW,
        correlationid="test",
        actor="someone",
        version=version,
        data=data,
    )
    service.hear(event, post.call(), post.office)


def told_of_a_bill() -> list[str]:
    """What the recipient reads."""
    post = PostOffice()
    happens(post, "issued", 1, "DUE")
    post.sends()
    return [letter.text for letter in (*post.email.letters, *post.sms.letters)]


def told_of_a_bill_paid_meanwhile() -> list[str]:
    """What became of the messages."""
    post = PostOffice()
    happens(post, "issued", 1, "DUE")
    post.now += timedelta(minutes=1)
    happens(post, "paid", 2, "PAID")
    post.sends()
    return [outcome for _, _, outcome in post.told()]


def main() -> None:
    for place in places():
        if place.kind == KIND and (template := shipped(place)):
            check(template, samples(KIND))
    json.dump({"read": told_of_a_bill(), "paid": told_of_a_bill_paid_meanwhile()}, sys.stdout)


if __name__ == "__main__":
    main()
