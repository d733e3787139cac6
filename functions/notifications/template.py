"""The words of messages: one template per kind, channel and language."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, NamedTuple, Self

from pydantic import AwareDatetime, ConfigDict, Field, JsonValue

from hms import ids
from hms.aggregate import Entity
from hms.errors import NotFound
from hms.fields import Command, Note, Text, View
from notifications.model import Channel
from notifications.segments import Segments

_TAG = re.compile(r"([a-z]{2,3})(?:-([a-z]{4}))?(?:-([a-z]{2}|\d{3}))?", re.IGNORECASE | re.ASCII)


class TemplateNotFound(NotFound):
    code, detail = "TEMPLATE_NOT_FOUND", "There is no such template."


class Unrenderable(Exception):
    """No message comes of it, now or later. `reason` names values and lines, never what a value was.

    `field` is the part that failed: `subject` or `text`.
    """

    code = "unrenderable"
    field = "text"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class MissingValue(Unrenderable):
    """A value that is printed is not there, or blank."""

    code = "missing_value"

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"{name} is missing or blank")


class BadValue(Unrenderable):
    """A value cannot be printed as the template wants it."""

    code = "bad_value"

    def __init__(self, name: str, why: str) -> None:
        self.name = name
        super().__init__(f"{name} {why}")


class BadTemplate(Unrenderable):
    """The template itself is wrong."""

    code = "bad_template"

    def __init__(self, line: int, why: str) -> None:
        self.line = line
        super().__init__(f"line {line}: {why}")


class Place(NamedTuple):
    """Where a template stands; `language` is a canonical BCP 47 tag."""

    kind: str
    channel: Channel
    language: str

    @property
    def template_id(self) -> str:
        return ids.derived("template", *self)


def canonical(tag: str) -> str | None:
    """`HI-in` → `hi-IN`; None for what is no tag of a language, perhaps with script and region."""
    match = _TAG.fullmatch(tag)
    if match is None:
        return None
    language, script, region = match.groups(default="")
    return "-".join(part for part in (language.lower(), script.title(), region.upper()) if part)


def broader(language: str) -> tuple[str, ...]:
    """A canonical tag and what it is a case of: `hi-Latn-IN` → `hi-Latn-IN`, `hi-Latn`, `hi`."""
    parts = language.split("-")
    return tuple("-".join(parts[:length]) for length in range(len(parts), 0, -1))


class TemplateStatus(StrEnum):
    """`SHIPPED` is the wording that comes with the system. A language that was added may be `WITHDRAWN` again."""

    SHIPPED = "SHIPPED"
    EDITED = "EDITED"
    WITHDRAWN = "WITHDRAWN"


class Template(Entity):
    """Jinja text. Version 0 is what was shipped; an SMS has no subject, for push it is the title."""

    template_id: str
    kind: str
    channel: Channel
    language: str
    status: TemplateStatus
    subject: str | None
    text: str

    @property
    def place(self) -> Place:
        return Place(self.kind, self.channel, self.language)


Subject = Annotated[Text, Field(min_length=1, max_length=500, pattern=r"^[^\n\t]+$")]

_SUBJECT = "Your visit on {{ visit.slot_start|short_date(visit.timezone) }}"
_TEXT = "Dear {{ patient.name }},\n\nyour visit with {{ doctor.name }} is booked."


class PutTemplate(Command):
    model_config = ConfigDict(json_schema_extra={"examples": [{"subject": _SUBJECT, "text": _TEXT}]})

    subject: Subject | None = None
    text: Note


class PreviewTemplate(Command):
    """What is left out is taken from the template as it stands; `values` go over the sample's."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"text": _TEXT, "values": {"patient": {"name": "Ravi Nair"}}}]}
    )

    subject: Subject | None = None
    text: Note | None = None
    values: dict[str, JsonValue] = Field(default={}, max_length=20)


class TemplatePreview(View):
    """`sms` says how it would be sent as an SMS, null for the other channels."""

    kind: str
    channel: Channel
    language: str
    subject: str | None
    text: str
    sms: Segments | None


class TemplateSummary(View):
    """A line of the list."""

    template_id: str
    kind: str
    channel: Channel
    language: str
    version: int
    status: TemplateStatus
    updated_at: AwareDatetime

    @classmethod
    def of(cls, template: Template) -> Self:
        return cls.model_validate({name: getattr(template, name) for name in cls.model_fields})


class TemplateList(View):
    items: list[TemplateSummary]
    next_cursor: str | None
    as_of: AwareDatetime


class TemplateVersion(View):
    """The template as somebody left it."""

    version: int
    at: AwareDatetime
    by: str
    status: TemplateStatus
    subject: str | None
    text: str


class TemplateVersions(View):
    """A page of versions, oldest first."""

    items: list[TemplateVersion]
    next_cursor: str | None
