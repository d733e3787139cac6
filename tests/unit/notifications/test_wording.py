"""The wording that is shipped: whole, right, short, and without what is nobody else's business."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest

import notifications
from notifications.kinds import kinds as told
from notifications.model import Channel
from notifications.rendering import check, render
from notifications.segments import segmented
from notifications.shipped import kinds, places, samples, shipped
from notifications.template import Place, Template
from tools import contracts

WORDING = Path(notifications.__file__).parent / "wording"
PLACES = [pytest.param(place, id="-".join(place)) for place in sorted(places())]
VISITS = {name for name, kind in told().kinds.items() if kind.subject == "visit"}
OF_VISITS = [pytest.param(place, id="-".join(place)) for place in sorted(places()) if place.kind in VISITS]
KINDS = sorted(kinds())
LANGUAGES = ("en", "hi")
OF_MONEY = [place for place in sorted(places()) if place.kind not in VISITS]
AMOUNTS = {"payment-received": "525.00", "payment-failed": "525.00", "refund": "262.50"}
# Where a name is longer, an SMS may take one segment more.
PATIENT, DOCTOR = "Priya Subramanian", "Dr. Rajesh Krishnan"
MOST = {"GSM-7": 1, "UCS-2": 3}
WHEN = {
    "en": ("Mon 23 Nov", "Monday, 23 November 2026", "10:00 am"),
    "hi": ("सोमवार, 23 नवंबर", "सोमवार, 23 नवंबर 2026", "सुबह 10:00 बजे"),
}


def template_at(place: Place) -> Template:
    template = shipped(place)
    assert template
    return template


def words(place: Place, **people: Any) -> list[str]:
    """The subject and text of every sample."""
    rendered = [render(template_at(place), {**sample, **people}) for sample in samples(place.kind)]
    return [f"{one.subject or ''}\n{one.text}" for one in rendered]


def phrase(place: Place) -> str:
    """What every message of a kind says, whatever else: `says.json` beside its wording, where it has one."""
    path = WORDING / place.kind / "says.json"
    said: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    return said.get(place.language, "")


def test_every_kind_is_there_in_every_language_over_every_channel() -> None:
    assert places() == {Place(kind, channel, tag) for kind in KINDS for channel in Channel for tag in LANGUAGES}


def test_every_kind_that_is_told_has_words() -> None:
    assert set(told().kinds) == kinds()


@pytest.mark.parametrize("kind", KINDS)
def test_the_samples_of_a_kind_are_what_its_event_brings(kind: str) -> None:
    mapping = told().kinds[kind]
    people = told().subjects[mapping.subject].people
    events = [mapping.on] if mapping.on else told().subjects[mapping.subject].events
    brought = [set(contracts.example_of(event).data) for event in events]

    for sample in samples(kind):
        assert set(sample) == {"clinic", mapping.subject, *people}
        assert set(sample[mapping.subject]) <= set.intersection(*brought)


@pytest.mark.parametrize("place", PLACES)
def test_it_renders_the_samples_and_says_what_happened(place: Place) -> None:
    check(template_at(place), samples(place.kind))

    for text in words(place):
        assert phrase(place) in text


@pytest.mark.parametrize("place", OF_VISITS)
def test_of_a_visit_it_says_when_and_with_whom(place: Place) -> None:
    short, long, time = WHEN[place.language]

    for text in words(place):
        assert time in text
        assert (long if place.channel is Channel.EMAIL else short) in text
        assert "Dr. Meera Iyer" in text


@pytest.mark.parametrize("place", PLACES)
def test_it_is_signed_and_a_patient_is_called_by_name(place: Place) -> None:
    for text in words(place):
        if place.channel is not Channel.PUSH:
            assert "Asha Rao" in text
            assert text.rstrip().endswith("HMS Clinic")


@pytest.mark.parametrize("place", OF_VISITS)
def test_of_a_visit_it_says_where_to_call(place: Place) -> None:
    for text in words(place):
        if place.channel is not Channel.PUSH:
            assert "+91 80 4000 0000" in text


@pytest.mark.parametrize("place", PLACES)
def test_it_is_tidy(place: Place) -> None:
    template = template_at(place)

    for text in words(place):
        assert "  " not in text
        assert "\n\n\n" not in text
        assert all(line == line.strip() for line in text.split("\n"))
    assert unicodedata.is_normalized("NFC", template.text + (template.subject or ""))
    assert (template.subject is None) == (place.channel is Channel.SMS)


@pytest.mark.parametrize("place", [one for one in sorted(places()) if one.channel is Channel.SMS], ids="-".join)
def test_an_sms_takes_no_more_than_it_has_to(place: Place) -> None:
    for text in words(place, patient={"name": PATIENT}, doctor={"name": DOCTOR}):
        cut = segmented(text.strip())
        assert cut.segments <= MOST[cut.encoding], text
        assert cut.encoding == ("GSM-7" if place.language == "en" else "UCS-2")


@pytest.mark.parametrize("place", [one for one in sorted(places()) if one.channel is Channel.PUSH], ids="-".join)
def test_a_push_message_is_short(place: Place) -> None:
    for text in words(place, doctor={"name": DOCTOR}):
        title, _, rest = text.partition("\n")
        assert len(title) <= 40
        assert len(rest) <= 140


@pytest.mark.parametrize("place", OF_VISITS)
def test_what_others_may_see_does_not_say_what_for(place: Place) -> None:
    """An SMS or a locked screen is read by others; the patient's own reason is told to nobody."""
    for text in words(place):
        assert ("Cardiology" in text) == (place.channel is Channel.EMAIL)
        assert "I am travelling" not in text


@pytest.mark.parametrize("place", OF_MONEY, ids="-".join)
def test_of_money_it_says_how_much_and_on_which_bill(place: Place) -> None:
    for sample, text in zip(samples(place.kind), words(place), strict=True):
        amount = AMOUNTS.get(place.kind) or sample["bill"]["outstanding"]["amount"]
        in_gsm = place.channel is Channel.SMS and place.language == "en"
        assert f"{'Rs ' if in_gsm else '₹'}{amount}" in text
        assert "B4839201735" in text


@pytest.mark.parametrize("place", [one for one in OF_MONEY if one.kind == "bill-issued"], ids="-".join)
def test_a_bill_says_until_when_it_is_to_be_paid(place: Place) -> None:
    day = {"en": "Wed 23 Dec", "hi": "बुधवार, 23 दिसंबर"}[place.language]

    assert all(day in text for text in words(place))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_bill_for_a_visit_that_was_not_says_what_it_is_for(language: str) -> None:
    fee = {"en": "fee", "hi": "शुल्क"}[language]

    told = [fee in text for text in words(Place("bill-issued", Channel.EMAIL, language))]

    outcomes = [sample["bill"]["outcome"] for sample in samples("bill-issued")]
    assert told == [outcome in ("CANCELLED", "NO_SHOW") for outcome in outcomes]
    assert any(told)


@pytest.mark.parametrize("place", [one for one in OF_MONEY if one.kind == "payment-failed"], ids="-".join)
def test_a_payment_that_failed_has_cost_nothing_and_may_be_tried_again(place: Place) -> None:
    nothing = {"en": "Nothing was charged", "hi": "नहीं ली"}[place.language]
    again = {"en": "ry again", "hi": "फिर"}[place.language]

    for text in words(place):
        assert nothing in text
        assert again in text
        assert "DECLINED" not in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_receipt_says_how_it_was_paid_and_has_a_number(language: str) -> None:
    ways = {"en": ("by card", "by UPI", "in cash", "by bank transfer"), "hi": ("कार्ड", "UPI", "नकद", "बैंक ट्रांसफ़र")}

    for way, text in zip(ways[language], words(Place("payment-received", Channel.EMAIL, language)), strict=True):
        assert way in text
        assert "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e80" in text


@pytest.mark.parametrize("place", [one for one in OF_MONEY if one.kind == "refund"], ids="-".join)
def test_a_refund_to_a_card_takes_days_and_cash_none(place: Place) -> None:
    days = {"en": "working days", "hi": "कार्य दिवस"}[place.language]
    by_method = dict(zip(("CARD", "UPI", "CASH", "BANK_TRANSFER"), words(place), strict=True))

    assert days in by_method["CARD"]
    assert days not in by_method["CASH"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_clinic_says_why_it_cancelled_and_that_it_costs_nothing(language: str) -> None:
    with_reason, without = words(Place("appointment-cancelled-by-clinic", Channel.EMAIL, language))
    nothing = {"en": "nothing to pay", "hi": "कुछ नहीं देना"}[language]

    assert "The doctor is ill" in with_reason
    assert {"en": "Reason", "hi": "कारण"}[language] not in without
    assert nothing in with_reason
    assert nothing in without


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_moved_visit_names_both_times_and_another_doctor_as_such(language: str) -> None:
    same, other = words(Place("appointment-rescheduled", Channel.EMAIL, language))
    another = {"en": "another doctor", "hi": "अलग डॉक्टर"}[language]

    for text in (same, other):
        assert {"en": "Sunday, 22 November 2026, 4:00 pm", "hi": "रविवार, 22 नवंबर 2026, शाम 4:00 बजे"}[language] in text
    assert another in other
    assert another not in same


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_visit_that_kept_its_time_has_no_earlier_one(language: str) -> None:
    place = Place("appointment-rescheduled", Channel.EMAIL, language)
    sample = samples(place.kind)[1]
    kept = {**sample["visit"], "previous_slot_start": sample["visit"]["slot_start"]}

    text = render(template_at(place), {**sample, "visit": kept}).text

    assert {"en": "earlier", "hi": "पहले का समय"}[language] not in text


@pytest.mark.parametrize("channel", Channel)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_patients_cancellation_does_not_say_who_asked(channel: Channel, language: str) -> None:
    """Reception may have cancelled for somebody."""
    for text in words(Place("appointment-cancelled", channel, language)):
        assert "you asked" not in text
        assert "आपके कहने" not in text
