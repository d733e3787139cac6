"""The wording that is shipped: whole, right, short, and without what is nobody else's business."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest

from notifications.kinds import kinds as told
from notifications.model import Channel
from notifications.rendering import check, render
from notifications.segments import segmented
from notifications.shipped import kinds, places, samples, shipped
from notifications.template import Place, Template
from tools import contracts

PLACES = [pytest.param(place, id="-".join(place)) for place in sorted(places())]
KINDS = sorted(kinds())
LANGUAGES = ("en", "hi")
# Where a name is longer, an SMS may take one segment more.
PATIENT, DOCTOR = "Priya Subramanian", "Dr. Rajesh Krishnan"
MOST = {"en": 1, "hi": 3}
SAYS: dict[str, dict[str, str | tuple[str, ...]]] = {
    "appointment-booked": {"en": "is booked", "hi": "तय"},
    "appointment-rescheduled": {"en": ("moved", "new time"), "hi": "नया समय"},
    "appointment-cancelled": {"en": "cancelled", "hi": "रद्द"},
    "appointment-cancelled-by-clinic": {"en": "cancel", "hi": "रद्द करना पड़ा"},
    "appointment-no-show": {"en": "missed you", "hi": "नहीं आ सके"},
    "reminder-24h": {"en": "reminder", "hi": "याद"},
    "reminder-2h": {"en": "begins soon", "hi": "पास"},
}
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


def test_every_kind_is_there_in_every_language_over_every_channel() -> None:
    assert places() == {Place(kind, channel, tag) for kind in KINDS for channel in Channel for tag in LANGUAGES}


def test_every_kind_that_is_told_has_words() -> None:
    assert set(told().kinds) == kinds()


@pytest.mark.parametrize("kind", KINDS)
def test_the_samples_of_a_kind_are_what_its_event_brings(kind: str) -> None:
    mapping = told().kinds[kind]
    events = [mapping.on] if mapping.on else told().subjects[mapping.subject].events
    brought = [set(contracts.example_of(event).data) for event in events]

    for sample in samples(kind):
        assert set(sample) == {"patient", "doctor", "clinic", mapping.subject}
        assert set(sample[mapping.subject]) <= set.intersection(*brought)


@pytest.mark.parametrize("place", PLACES)
def test_it_renders_the_samples_and_says_what_happened_and_when(place: Place) -> None:
    check(template_at(place), samples(place.kind))
    wanted = SAYS[place.kind][place.language]

    for text in words(place):
        assert any(phrase in text for phrase in ([wanted] if isinstance(wanted, str) else wanted))
        short, long, time = WHEN[place.language]
        assert time in text
        assert (long if place.channel is Channel.EMAIL else short) in text
        assert "Dr. Meera Iyer" in text


@pytest.mark.parametrize("place", PLACES)
def test_an_e_mail_is_signed_and_a_patient_is_called_by_name(place: Place) -> None:
    for text in words(place):
        if place.channel is not Channel.PUSH:
            assert "Asha Rao" in text
            assert text.rstrip().endswith("HMS Clinic")
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
        assert segmented(text.strip()).segments <= MOST[place.language], text
        assert segmented(text.strip()).encoding == ("GSM-7" if place.language == "en" else "UCS-2")


@pytest.mark.parametrize("place", [one for one in sorted(places()) if one.channel is Channel.PUSH], ids="-".join)
def test_a_push_message_is_short(place: Place) -> None:
    for text in words(place, doctor={"name": DOCTOR}):
        title, _, rest = text.partition("\n")
        assert len(title) <= 40
        assert len(rest) <= 140


@pytest.mark.parametrize("place", PLACES)
def test_what_others_may_see_does_not_say_what_for(place: Place) -> None:
    """An SMS or a locked screen is read by others; the patient's own reason is told to nobody."""
    for text in words(place):
        assert ("Cardiology" in text) == (place.channel is Channel.EMAIL)
        assert "I am travelling" not in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_clinic_says_why_it_cancelled_and_that_it_costs_nothing(language: str) -> None:
    with_reason, without = words(Place("appointment-cancelled-by-clinic", Channel.EMAIL, language))
    nothing = {"en": "nothing to pay", "hi": "कुछ नहीं देना"}[language]

    assert "The doctor is ill" in with_reason
    assert {"en": "Reason", "hi": "कारण"}[language] not in without
    assert nothing in with_reason
    assert nothing in without


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_moved_visit_names_both_times(language: str) -> None:
    (text,) = words(Place("appointment-rescheduled", Channel.EMAIL, language))

    assert {"en": "Sunday, 22 November 2026, 4:00 pm", "hi": "रविवार, 22 नवंबर 2026, शाम 4:00 बजे"}[language] in text
