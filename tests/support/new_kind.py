"""A message of a domain that is not there, made of data only: `python -m tests.support.new_kind` tells of a bed.

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

KIND = "stay-planned"
SUBJECT = {
    "id": "stay_id",
    "people": {"patient": "patient_id"},
    "owner": "WARDS_TASKS",
    "events": ["wards.stay_planned.v1", "wards.stay_ended.v1"],
}
ROW = {"subject": "stay", "on": "wards.stay_planned.v1", "stands": {"among": {"status": ["PLANNED"]}}}
SAMPLES = [
    {
        "stay": {
            "ward": "4",
            "starts_on": "2026-12-23",
            "status": "PLANNED",
            "daily_rate": {"amount": "1500.00", "currency": "INR"},
        }
    }
]
_EN = (
    "{{ patient.name }}, your bed is in ward {{ stay.ward }} from {{ stay.starts_on|short_day }}, "
    "at {{ stay.daily_rate|money }} a day. {{ clinic.name }}\n"
)
_HI = "{{ patient.name }} जी, वार्ड {{ stay.ward }}, {{ stay.starts_on|short_day }} से। {{ clinic.name }}\n"
WORDING = {
    "sms.en.txt": _EN,
    "sms.hi.txt": _HI,
    "email.en.txt": f"Subject: Your bed from {{{{ stay.starts_on|day }}}}\n\n{_EN}",
    "email.hi.txt": f"Subject: {{{{ stay.starts_on|day }}}} से आपका बिस्तर\n\n{_HI}",
    "push.en.txt": "Subject: Your bed\n\nWard {{ stay.ward }}, from {{ stay.starts_on|short_day }}\n",
    "push.hi.txt": "Subject: आपका बिस्तर\n\nवार्ड {{ stay.ward }}, {{ stay.starts_on|short_day }} से\n",
}


def happens(post: PostOffice, what: str, version: int, status: str) -> None:
    stay: dict[str, Any] = SAMPLES[0]["stay"]
    stay_id = ids.derived("test", "stay")
    data = {**stay, "stay_id": stay_id, "patient_id": PATIENT, "status": status, "version": version}
    event = Event(
        id=ids.derived("test", what),
        type=f"wards.{what}.v1",
        source="/hms/wards",
        subject=stay_id,
        time=NOW,
        correlationid="test",
        actor="someone",
        version=version,
        data=data,
    )
    service.hear(event, post.call(), post.office)


def told_of_a_stay() -> list[str]:
    """What the recipient reads."""
    post = PostOffice()
    happens(post, "stay_planned", 1, "PLANNED")
    post.sends()
    return [letter.text for letter in (*post.email.letters, *post.sms.letters)]


def told_of_a_stay_that_ended_meanwhile() -> list[str]:
    """What became of the messages."""
    post = PostOffice()
    happens(post, "stay_planned", 1, "PLANNED")
    post.now += timedelta(minutes=1)
    happens(post, "stay_ended", 2, "ENDED")
    post.sends()
    return [outcome for _, _, outcome in post.told()]


def main() -> None:
    for place in places():
        if place.kind == KIND and (template := shipped(place)):
            check(template, samples(KIND))
    json.dump({"read": told_of_a_stay(), "ended": told_of_a_stay_that_ended_meanwhile()}, sys.stdout)


if __name__ == "__main__":
    main()
