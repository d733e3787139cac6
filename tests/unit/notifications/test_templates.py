"""Which template holds."""

from __future__ import annotations

import pytest

from hms.auth import Principal
from hms.call import Call
from notifications import editing
from notifications.model import Channel
from notifications.shipped import shipped
from notifications.template import Place, PutTemplate, Template, TemplateNotFound, broader, canonical
from notifications.templates import Templates
from tests.support.memory import MemoryTable
from tests.support.templates import BOOKED, NOW


@pytest.fixture
def templates() -> Templates:
    return Templates(MemoryTable())


def a_call() -> Call:
    return Call(Principal("user-1", ("administrator",)), NOW, "correlation-1")


def edit(templates: Templates, language: str, text: str = "edited", channel: Channel = Channel.SMS) -> Template:
    place = Place(BOOKED, channel, language)
    return editing.put_template(place, PutTemplate(text=text), a_call(), templates).state


def best(templates: Templates, language: str | None) -> tuple[str, int]:
    template = templates.best(BOOKED, Channel.SMS, language)
    return template.language, template.version


@pytest.mark.parametrize(
    ("tag", "wanted"),
    [
        ("hi", "hi"),
        ("HI-in", "hi-IN"),
        ("hi-latn-in", "hi-Latn-IN"),
        ("es-419", "es-419"),
        ("yue", "yue"),
        ("", None),
        ("h", None),
        ("hindi", None),
        ("hi_IN", None),
        ("hi-", None),
        ("hi-IN-x-private", None),
        ("../en", None),
        ("hi\n", None),
        ("ﬁ", None),
    ],
)
def test_a_language_is_a_tag_in_one_form(tag: str, wanted: str | None) -> None:
    assert canonical(tag) == wanted


def test_a_tag_is_a_case_of_broader_ones() -> None:
    assert broader("hi-Latn-IN") == ("hi-Latn-IN", "hi-Latn", "hi")
    assert broader("hi") == ("hi",)


@pytest.mark.parametrize(
    ("language", "found"),
    [
        (None, "en"),
        ("en", "en"),
        ("hi", "hi"),
        ("hi-IN", "hi"),
        ("HI", "hi"),
        ("hi-Latn-IN", "hi"),
        ("ta", "en"),
        ("no language", "en"),
        ("", "en"),
    ],
)
def test_the_shipped_wording_of_the_nearest_language_is_the_best(
    templates: Templates, language: str | None, found: str
) -> None:
    assert best(templates, language) == (found, 0)


def test_an_edited_one_goes_before_the_shipped_one(templates: Templates) -> None:
    edit(templates, "hi")

    assert best(templates, "hi-IN") == ("hi", 1)
    assert best(templates, "en") == ("en", 0)
    assert templates.best(BOOKED, Channel.PUSH, "hi").version == 0


def test_the_exact_language_goes_before_a_broader_one(templates: Templates) -> None:
    edit(templates, "hi-Latn")
    edit(templates, "ta")

    assert best(templates, "hi-Latn-IN") == ("hi-Latn", 1)
    assert best(templates, "hi-IN") == ("hi", 0)
    assert best(templates, "ta-LK") == ("ta", 1)


def test_a_withdrawn_language_is_not_used(templates: Templates) -> None:
    edit(templates, "ta")
    editing.reset_template(Place(BOOKED, Channel.SMS, "ta"), a_call(), templates)

    assert best(templates, "ta") == ("en", 0)


def test_a_reset_one_is_what_is_shipped(templates: Templates) -> None:
    place = Place(BOOKED, Channel.SMS, "en")
    edit(templates, "en")
    editing.reset_template(place, a_call(), templates)

    template, came = templates.best(BOOKED, Channel.SMS, "en"), shipped(place)
    assert came
    assert (template.version, template.text) == (2, came.text)


def test_it_is_found_in_one_read() -> None:
    table = MemoryTable()

    Templates(table).best(BOOKED, Channel.EMAIL, "hi-Latn-IN")

    assert table.reads == 1


def test_there_is_none_for_what_nobody_is_told(templates: Templates) -> None:
    with pytest.raises(TemplateNotFound):
        templates.best("../wording/appointment-booked", Channel.SMS, "en")
