"""From a template and values to words. Imports jinja2: only for functions that render."""

from __future__ import annotations

import unicodedata
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from jinja2 import StrictUndefined, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import TypeAdapter, ValidationError

from hms.fields import Line, Text
from notifications.allowed import KNOWN, LONGEST, PRINTED, checked, guarded, names
from notifications.filters import filters
from notifications.model import Channel
from notifications.segments import segmented, thrifty
from notifications.template import BadTemplate, BadValue, MissingValue, Unrenderable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from jinja2 import Template as Compiled

    from notifications.template import Template

_LONGEST = 10_000
_TOO_LONG = f"is longer than {_LONGEST} letters"
# What the provider takes in one message.
_MOST_SEGMENTS = 9
_LARGEST_NUMBER = 10**15
_FILLERS = "\u115f\u1160\u2800\u3164\uffa0"


class Rendered(NamedTuple):
    subject: str | None
    text: str


def render(template: Template, values: Mapping[str, Any]) -> Rendered:
    """The words of a message. Raises `Unrenderable`, mostly as `MissingValue`: a message is whole or there is none."""
    written = {field: _written(field, source, template, values) for field, source in _parts(template)}
    return Rendered(written.get("subject"), written["text"])


def check(template: Template, samples: Sequence[Mapping[str, Any]]) -> None:
    """Raises `Unrenderable` where a template names what messages of its kind have not, or a sample does not render."""
    for field, source in _parts(template):
        with _told_of(field):
            for line, name in names(checked(source, _sandbox(template.language))):
                if not _leads(name, samples[0]):
                    raise BadTemplate(line, f"messages of this kind have no {name}")
    for sample in samples:
        render(template, sample)


def _parts(template: Template) -> Iterator[tuple[str, str]]:
    if template.subject is not None:
        yield "subject", template.subject
    yield "text", template.text


def _written(field: str, source: str, template: Template, values: Mapping[str, Any]) -> str:
    with _told_of(field):
        text = _fit(field, _joined(field, _compiled(source, template.language).generate(values)).strip())
        return _as_sms(field, text) if template.channel is Channel.SMS else text


def _as_sms(field: str, text: str) -> str:
    spelt = thrifty(text)
    if segmented(spelt).segments > _MOST_SEGMENTS:
        raise BadValue(field, f"takes more than {_MOST_SEGMENTS} segments")
    return spelt


def _joined(field: str, pieces: Iterable[str]) -> str:
    """Goes no further than a message can be long; so much of it may be blanks of the template that are stripped."""
    taken, length = list[str](), 0
    for piece in pieces:
        length += len(piece)
        if length > _LONGEST + LONGEST:
            raise BadValue(field, _TOO_LONG)
        taken.append(piece)
    return "".join(taken)


@contextmanager
def _told_of(field: str) -> Iterator[None]:
    try:
        yield
    except Unrenderable as error:
        error.field = field
        raise


def _fit(field: str, text: str) -> str:
    if not _visible(text):
        raise MissingValue(field)
    if len(text) > _LONGEST:
        raise BadValue(field, _TOO_LONG)
    try:
        fit: str = _form(field).validate_python(text)
    except ValidationError:
        raise BadValue(field, "is too long for one line, or has what is not text") from None
    if field == "subject" and len(fit.splitlines()) > 1:
        raise BadValue(field, "has more than one line")
    return fit


@cache
def _form(field: str) -> TypeAdapter[Any]:
    return TypeAdapter(Line if field == "subject" else Text)


def _visible(text: str) -> bool:
    """Whether there is anything to see: spaces, controls, joiners and fillers are nothing."""
    return any(unicodedata.category(letter)[0] not in "ZC" and letter not in _FILLERS for letter in text)


def _leads(name: str, values: Any) -> bool:
    for part in name.split("."):
        if not isinstance(values, dict) or part not in values:
            return False
        values = values[part]
    return True


@lru_cache(maxsize=128)
def _compiled(source: str, language: str) -> Compiled:
    sandbox = _sandbox(language)
    tree = guarded(checked(source, sandbox))
    tree.set_environment(sandbox)
    return sandbox.from_string(tree)


@lru_cache(maxsize=32)
def _sandbox(language: str) -> _Sandbox:
    return _Sandbox(language)


class _Sandbox(ImmutableSandboxedEnvironment):
    """No globals, no tests, no filters but ours, and members of JSON objects instead of attributes."""

    def __init__(self, language: str) -> None:
        super().__init__(
            undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True, optimized=False
        )
        self.globals, self.tests = {}, {}
        self.filters = {**filters(language), KNOWN: _known, PRINTED: _printed}

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        return self.undefined(name=attribute)


def _known(value: object, name: str) -> object:
    if isinstance(value, Undefined):
        raise MissingValue(name)
    if isinstance(value, str) and len(value) > _LONGEST:
        raise BadValue(name, _TOO_LONG)
    return None if isinstance(value, str) and not _visible(value) else value


def _printed(value: object, name: str) -> str:
    if value is None:
        raise MissingValue(name)
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST_NUMBER:
        return str(value)
    raise BadValue(name, "is neither text nor a whole number")
