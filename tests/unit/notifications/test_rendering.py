"""Templates are hostile input; what comes out is whole or nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from notifications.model import Channel
from notifications.rendering import check, render
from notifications.shipped import places, samples, shipped
from notifications.template import BadTemplate, BadValue, MissingValue, Unrenderable
from tests.support.templates import BOOKED, a_place, a_template, rendered, values, visit
from tools.paths import ROOT

ATTACKS = {
    "the way to object": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "a dunder of a value": "{{ visit.__class__ }}",
    "the globals of a value": "{{ visit.__init__.__globals__ }}",
    "a method of a value": "{{ visit.items }}",
    "a method called": "{{ visit.items() }}",
    "a changed value": "{{ visit.clear() }}",
    "a member by subscript": "{{ visit['slot_start'] }}",
    "a format string": "{{ '{0.__class__}'.format(visit) }}",
    "an old format string": "{{ '%s' % visit }}",
    "the attr filter": "{{ visit|attr('__class__') }}",
    "the map filter": "{{ visit|map(attribute='__class__') }}",
    "the format filter": "{{ '%s'|format(visit) }}",
    "the default filter": "{{ visit.nothing|default('x') }}",
    "an unknown filter": "{{ visit|secret }}",
    "our own guard": "{{ visit.nothing|known('x') }}",
    "our other guard": "{{ visit|printed('x') }}",
    "a filter block": "{% filter upper %}x{% endfilter %}",
    "a loop": "{% for letter in patient.name %}{{ letter }}{% endfor %}",
    "a large loop": "{% for n in range(10**9) %}x{% endfor %}",
    "a large multiplication": "{{ 'a' * 10**9 }}",
    "a large power": "{{ 9**9**9 }}",
    "a sum": "{{ patient.name + doctor.name }}",
    "a concatenation": "{{ patient.name ~ doctor.name }}",
    "a negative": "{{ -1 }}",
    "a list": "{{ [visit, visit] }}",
    "a dictionary": "{{ {'a': visit} }}",
    "a slice": "{{ patient.name[:3] }}",
    "a test": "{{ patient is defined }}",
    "a membership": "{% if 'a' in patient.name %}x{% endif %}",
    "an order": "{% if visit.slot_start > '2026' %}x{% endif %}",
    "an inline if": "{{ patient.name if visit else '' }}",
    "an assignment": "{% set x = 'a' %}{{ x }}",
    "a block assignment": "{% set x %}a{% endset %}",
    "a macro": "{% macro m() %}{{ m() }}{% endmacro %}x",
    "a call block": "{% call patient() %}x{% endcall %}",
    "an include": "{% include '/etc/passwd' %}",
    "an import": "{% import 'os' as os %}",
    "an import from": "{% from 'os' import system %}",
    "a parent": "{% extends 'base' %}",
    "a block": "{% block x %}x{% endblock %}",
    "a scope": "{% with a = visit %}x{% endwith %}",
    "another escaping": "{% autoescape true %}x{% endautoescape %}",
    "the template itself": "{{ self }}",
    "the template's blocks": "{{ self.body() }}",
    "a global": "{{ range }}",
    "a global object": "{{ cycler.__init__ }}",
    "the context": "{{ context }}",
    "a fraction": "{{ 1.5 }}",
    "a call of text": "{{ 'x'.upper() }}",
    "a member of text": "{{ 'x'.upper }}",
    "a member of what a filter made": "{{ (visit.slot_start|date(visit.timezone)).upper }}",
    "a filter without its argument": "{{ visit.slot_start|date }}",
    "a filter with a named argument": "{{ visit.slot_start|date(zone='UTC') }}",
    "a filter with arguments by star": "{{ visit.slot_start|date(*visit) }}",
    "a filter with arguments by two stars": "{{ visit.slot_start|date(**visit) }}",
    "many brackets": "{{ " + "(" * 1900 + "1" + ")" * 1900 + " }}",
    "many nots": "{% if " + "not " * 900 + "visit %}x{% endif %}",
    "many ands": "{% if " + "visit and " * 300 + "visit %}x{% endif %}",
    "many members": "{{ visit" + ".visit" * 600 + " }}",
    "many ifs": "{% if visit %}" * 120 + "x" + "{% endif %}" * 120,
    "a tag that does not end": "{% if visit %}x",
    "a print that does not end": "{{ visit",
    "a comment that does not end": "{# visit",
    "no expression": "{{ }}",
    "an unknown tag": "{% debug %}",
    "an empty if": "{% if %}x{% endif %}",
    "text that does not end": "{{ 'x }}",
    "brackets that do not match": "{{ (visit] }}",
    "a bad escape": r"{{ '\N{nothing}' }}",
    "too much": "x" * 4001,
}


@pytest.mark.parametrize("source", ATTACKS.values(), ids=ATTACKS)
def test_what_no_template_may_do_is_refused(source: str) -> None:
    with pytest.raises(Unrenderable):
        check(a_template(source), samples(BOOKED))


@pytest.mark.parametrize("source", ATTACKS.values(), ids=ATTACKS)
def test_a_template_that_was_stored_unchecked_leads_nowhere_either(source: str) -> None:
    with pytest.raises(Unrenderable):
        rendered(source)


@pytest.mark.parametrize("letter", ["\u202e", "\u2066", "\u200f", "\x00", "\x1b", "\r", "\ud800", "\ufeff"])
def test_what_is_not_text_is_refused_in_values_and_constants(letter: str) -> None:
    with pytest.raises(BadValue):
        rendered("Dear {{ patient.name }}", patient={"name": f"Asha{letter}Rao"})
    with pytest.raises(BadValue):
        rendered(f"{{{{ 'a\\u{ord(letter):04x}b' }}}}")


@pytest.mark.parametrize("letter", ["\n", "\r\n", "\r", "\u2028", "\u2029", "\x0b", "\x0c", "\x85", "\x1c", "\t"])
def test_a_value_never_becomes_another_header(letter: str) -> None:
    name = f"Asha{letter}Bcc: everybody@example.com"

    with pytest.raises(BadValue) as refused:
        rendered("x", "Your visit, {{ patient.name }}", patient={"name": name})

    assert refused.value.field == "subject"
    assert "everybody" not in refused.value.reason


def test_values_are_printed_as_they_are_and_are_no_templates() -> None:
    name = "{{ doctor.name }} <b>{% for %}"

    assert rendered("Dear {{ patient.name }}", patient={"name": name}).text == f"Dear {name}"


def test_a_member_is_never_a_method_of_its_holder() -> None:
    assert rendered("{{ visit.items }}", visit=visit(items="two")).text == "two"


@pytest.mark.parametrize("nothing", [None, "", " ", "\t\n", "\u00a0", "\u200d", "\u3164", "\u2800"])
def test_a_value_that_is_printed_is_there(nothing: str | None) -> None:
    with pytest.raises(MissingValue) as missing:
        rendered("Dear {{ patient.name }}", patient={"name": nothing})

    assert missing.value.name == "patient.name"
    assert missing.value.reason == "patient.name is missing or blank"


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("{{ visit.reason }}", "visit.reason"),
        ("{{ nobody }}", "nobody"),
        ("{{ nobody.name }}", "nobody.name"),
        ("{{ patient.name.first }}", "patient.name.first"),
        ("{% if visit.reason %}x{% endif %}y", "visit.reason"),
        ("{% if not visit.reason %}x{% endif %}y", "visit.reason"),
        ("{% if visit.reason == 'x' %}x{% endif %}y", "visit.reason"),
        ("{{ visit.ended|date(visit.timezone) }}", "visit.ended"),
        ("{{ visit.slot_start|date(visit.zone) }}", "visit.zone"),
        ("{{ visit.fee|money }}", "visit.fee"),
        ("{% if visit.slot_start == 'x' %}y{% endif %}", "text"),
        ("{# nothing #}", "text"),
    ],
)
def test_a_missing_value_is_named(source: str, name: str) -> None:
    with pytest.raises(MissingValue) as missing:
        rendered(source)

    assert missing.value.name == name


def test_a_blank_subject_is_missing_too() -> None:
    with pytest.raises(MissingValue) as missing:
        rendered("x", "{% if visit.department == 'none' %}x{% endif %}")

    assert (missing.value.field, missing.value.name) == ("subject", "subject")


@pytest.mark.parametrize("value", [True, 1.5, float("nan"), [], ["x"], {}, {"a": 1}, 10**15, -(10**15)])
def test_only_text_and_whole_numbers_are_printed(value: object) -> None:
    with pytest.raises(BadValue) as bad:
        rendered("{{ visit.what }}", visit=visit(what=value))

    assert bad.value.name == "visit.what"


def test_a_whole_number_is_printed() -> None:
    assert rendered("{{ visit.count }} of 3", visit=visit(count=0)).text == "0 of 3"


@pytest.mark.parametrize(
    ("reason", "text"), [("ill", "Why: ill"), (None, "No reason"), ("  ", "No reason"), ("none", "None at all")]
)
def test_a_template_chooses_by_values(reason: str | None, text: str) -> None:
    source = (
        "{% if visit.reason == 'none' %}None at all{% elif visit.reason and visit.reason != '' %}"
        "Why: {{ visit.reason }}{% else %}No reason{% endif %}"
    )

    assert rendered(source, visit=visit(reason=reason)).text == text


def test_a_line_with_only_a_tag_leaves_no_empty_line() -> None:
    source = "a\n{% if visit.department %}\nb\n{% endif %}\nc"

    assert rendered(source).text == "a\nb\nc"


def test_a_result_has_a_bounded_length() -> None:
    long = {"name": "x" * 3000}

    with pytest.raises(BadValue):
        rendered("{{ patient.name }} " * 4, "x", patient=long)
    with pytest.raises(BadValue):
        rendered("x", "{{ patient.name }}", patient={"name": "x" * 201})
    with pytest.raises(BadValue):
        rendered("{{ patient.name }}", patient=long)


def test_an_error_names_the_line() -> None:
    with pytest.raises(BadTemplate) as bad:
        rendered("one\ntwo\n{% for x in visit %}{% endfor %}")

    assert bad.value.reason == "line 3: for is not among what a template may do"


def test_names_that_no_message_of_the_kind_has_are_found_in_every_branch() -> None:
    hidden = "{% if visit.department == 'nowhere' %}\n{{ visit.secret }}{% endif %}x"

    assert rendered(hidden).text == "x"
    with pytest.raises(BadTemplate) as bad:
        check(a_template(hidden), samples(BOOKED))
    assert bad.value.reason == "line 2: messages of this kind have no visit.secret"


def test_a_value_that_is_absent_at_times_is_not_printed_without_asking() -> None:
    place = a_place("appointment-cancelled-by-clinic", Channel.SMS)

    with pytest.raises(MissingValue):
        check(a_template("{{ visit.reason }}", place=place), samples(place.kind))
    check(a_template("x{% if visit.reason %}{{ visit.reason }}{% endif %}", place=place), samples(place.kind))


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters())
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)
FIELDS = ("name", "phone", "slot_start", "slot_end", "timezone", "department", "reason", "previous_slot_start")
THINGS = JSON | st.dictionaries(st.sampled_from(FIELDS), JSON)


@given(
    place=st.sampled_from(sorted(places())),
    changes=st.dictionaries(st.sampled_from(["patient", "doctor", "clinic", "visit"]), THINGS),
    fields=st.dictionaries(st.sampled_from(FIELDS), JSON),
)
@example(a_place(), {}, {"slot_start": "1900-01-01T00:00:00Z", "timezone": "America/New_York"})
@example(a_place(), {}, {"slot_start": "2200-12-31T23:59:59Z", "timezone": "Pacific/Kiritimati"})
@example(a_place(), {}, {"slot_start": "9999-12-31T23:59:59-12:00"})
@example(a_place(), {}, {"timezone": "../../etc/passwd"})
@example(a_place(), {}, {"timezone": "\ud800"})
@example(a_place(), {}, {"timezone": "A\x00"})
def test_any_values_make_a_message_or_a_named_failure(
    place: Any, changes: dict[str, Any], fields: dict[str, Any]
) -> None:
    template = shipped(place)
    assert template
    whole = {**values(visit=visit(**fields)), **changes}

    message = None
    with suppress(Unrenderable):
        message = render(template, whole)

    assert message is None or message.text.strip()
    assert message is None or message.subject is None or len(message.subject.splitlines()) == 1


PIECES = (
    *("{{", "}}", "{%", "%}", "{#", "#}", "if", "elif", "else", "endif", "for", "in", "set", "raw", "endraw", "block"),
    *("visit", "patient", ".", ".name", ".slot_start", "|date", "|money", "(", ")", "[", "]", "'", '"', ",", "=", "=="),
    *("not", "and", "or", "is", "~", "-", "+", "*", "1", "0x1", "1e9", "1_0", "\\", "\n", " ", " ", " ", "x", "self"),
)


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join) | st.text(st.characters()))
def test_any_text_is_a_template_or_a_named_failure(source: str) -> None:
    message = None
    with suppress(Unrenderable):
        message = rendered(source)

    assert message is None or message.text.strip()


ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT / "functions", ROOT / "layers" / "hms")))}


def test_jinja_is_loaded_only_to_render() -> None:
    program = (
        "import notifications.api, notifications.inbox, notifications.tasks, sys; sys.exit('jinja2' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", program], env=ENVIRONMENT, check=False).returncode == 0


def _built(text: str, value: str) -> int:
    """The most bytes that were held while a template was refused that is compiled already."""
    template = a_template(text, None, a_place(channel=Channel.EMAIL))
    with suppress(Unrenderable):
        render(template, {"x": ""})
    tracemalloc.start()
    try:
        with pytest.raises(BadValue, match="longer than 10000 letters"):
            render(template, {"x": value})
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("letters", [240_000, 10_000], ids=["too long by itself", "too long together"])
def test_what_is_too_long_is_refused_before_it_is_built(letters: int) -> None:
    assert _built("{{x}}" * 790, "\U0001f600" * letters) < 1_000_000


def test_a_value_that_is_too_long_is_named() -> None:
    with pytest.raises(BadValue, match=r"visit\.reason is longer"):
        rendered("{% if visit.reason %}x{% endif %}", visit=visit(reason=" " * 240_000))


def test_the_longest_result_is_whole() -> None:
    assert rendered(" {{visit.reason}} ", "s", visit=visit(reason="x" * 10_000)).text == "x" * 10_000
