"""The wording that comes with the system: `wording/<kind>/<channel>.<language>.txt`, and sample values for each kind.

An e-mail's or push message's file starts with a line `Subject: …` and an empty one.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from notifications.kinds import kinds as told
from notifications.model import Channel
from notifications.template import Place, Template, TemplateStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

_FOLDER = Path(__file__).with_name("wording")
_WRITTEN = datetime(2026, 11, 21, tzinfo=UTC)
_SUBJECT = "Subject: "


@cache
def kinds() -> frozenset[str]:
    """What can be told."""
    return frozenset(folder.name for folder in _FOLDER.iterdir() if folder.is_dir())


@cache
def places() -> frozenset[Place]:
    return frozenset(_place(path) for path in _FOLDER.glob("*/*.txt"))


@cache
def shipped(place: Place) -> Template | None:
    if place not in places():
        return None
    subject, text = _parts((_FOLDER / place.kind / f"{place.channel}.{place.language}.txt").read_text())
    return Template(
        template_id=place.template_id,
        **place._asdict(),
        version=0,
        created_at=_WRITTEN,
        updated_at=_WRITTEN,
        status=TemplateStatus.SHIPPED,
        subject=subject,
        text=text,
    )


@cache
def samples(kind: str) -> tuple[Mapping[str, Any], ...]:
    """Values that messages of this kind are made of: the usual ones first, then with what may be absent absent."""
    written = json.loads((_FOLDER / "people.json").read_text())
    people = {name: written[name] for name in ("clinic", *told().subjects[told().kinds[kind].subject].people)}
    return tuple(people | subject for subject in json.loads((_FOLDER / kind / "samples.json").read_text()))


def _place(path: Path) -> Place:
    channel, language, _ = path.name.split(".")
    return Place(path.parent.name, Channel(channel), language)


def _parts(written: str) -> tuple[str | None, str]:
    if not written.startswith(_SUBJECT):
        return None, written.strip()
    subject, _, text = written.partition("\n")
    return subject.removeprefix(_SUBJECT), text.strip()
