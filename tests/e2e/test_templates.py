"""The words of messages, edited on a deployed hospital; in languages that nobody else has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hms import ids
from tests.support.client import agreed, refused

if TYPE_CHECKING:
    from tests.support.hospital import Hospital

SMS = "/v1/notification-templates/reminder-2h/sms"
TEXT = "{{ patient.name }} - {{ visit.slot_start|time(visit.timezone) }}, {{ visit.consultation_fee|money }}"


def a_language() -> str:
    """A tag in the right form that no other run has met."""
    number = int(ids.new().replace("-", "")[-12:], 16)
    letters = "".join(chr(ord("a") + number // 26**place % 26) for place in range(3))
    return f"{letters}-{number // 26**3 % 1000:03d}"


def test_every_shipped_text_is_there(hospital: Hospital) -> None:
    lines = agreed(hospital.admin.get("/v1/notification-templates", query={"limit": 100}))["items"]

    assert len(lines) >= 42
    shipped = agreed(hospital.admin.get(f"{SMS}/hi"))
    assert "अपॉइंटमेंट" in shipped["text"]
    assert shipped["version"] == 0


def test_a_language_is_tried_out_added_seen_and_withdrawn(hospital: Hospital) -> None:
    admin, draft = hospital.admin, f"{SMS}/{a_language()}"

    shown = agreed(admin.post(f"{draft}/preview", {"text": TEXT}))
    assert (shown["text"], shown["sms"]["encoding"]) == ("Asha Rao - 10:00, Rs 500.00", "GSM-7")
    refused(admin.get(draft), 404, "TEMPLATE_NOT_FOUND")

    agreed(admin.put(draft, {"text": TEXT}))
    changed = agreed(admin.put(draft, {"text": "{{ patient.name }}"}, if_match=1))
    assert changed["version"] == 2
    refused(admin.put(draft, {"text": TEXT}, if_match=1), 412, "STALE_VERSION")

    assert agreed(admin.delete(draft))["status"] == "WITHDRAWN"
    versions = agreed(admin.get(f"{draft}/versions"))["items"]
    assert [(one["version"], one["text"]) for one in versions[:2]] == [(1, TEXT), (2, "{{ patient.name }}")]


def test_words_that_would_fail_a_message_are_refused(hospital: Hospital) -> None:
    attack = "Dear {{ patient.name }}\n{{ 'a' * 10**9 }}"

    problem = refused(hospital.admin.put(f"{SMS}/{a_language()}", {"text": attack}), 422, "INVALID")

    assert problem["errors"] == [
        {"field": "text", "code": "bad_template", "detail": "line 2: mul is not among what a template may do"}
    ]


def test_only_administrators_edit(hospital: Hospital) -> None:
    assert agreed(hospital.role("auditor").get(f"{SMS}/en"))["version"] == 0
    refused(hospital.role("auditor").put(f"{SMS}/en", {"text": "x"}), 403, "FORBIDDEN")
    refused(hospital.reception.get(f"{SMS}/en"), 403, "FORBIDDEN")
