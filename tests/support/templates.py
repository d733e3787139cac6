"""Templates and the values that messages are made of."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from notifications.model import Channel
from notifications.rendering import Rendered, render
from notifications.shipped import samples
from notifications.template import Place, Template, TemplateStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

NOW = datetime(2026, 11, 21, 6, 30, tzinfo=UTC)
BOOKED = "appointment-booked"


def a_place(kind: str = BOOKED, channel: Channel = Channel.EMAIL, language: str = "en") -> Place:
    return Place(kind, channel, language)


def a_template(text: str, subject: str | None = None, place: Place | None = None) -> Template:
    place = place or a_place(channel=Channel.EMAIL if subject else Channel.SMS)
    return Template(
        **place._asdict(),
        template_id=place.template_id,
        created_at=NOW,
        updated_at=NOW,
        status=TemplateStatus.EDITED,
        subject=subject,
        text=text,
    )


def values(**changes: Any) -> dict[str, Any]:
    """The sample values of a booking, with some of them changed."""
    return {**samples(BOOKED)[0], **changes}


def rendered(text: str, subject: str | None = None, language: str = "en", **changes: Any) -> Rendered:
    place = a_place(channel=Channel.EMAIL if subject else Channel.SMS, language=language)
    return render(a_template(text, subject, place), values(**changes))


def visit(**changes: Any) -> Mapping[str, Any]:
    facts: Mapping[str, Any] = samples(BOOKED)[0]["visit"]
    return {**facts, **changes}
