"""Messages in words, from the templates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from notifications.sending import Worded
from notifications.templates import Templates

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hms.rows import Table
    from notifications.model import Channel


class TemplateWording:
    def __init__(self, table: Table) -> None:
        self._templates = Templates(table)

    def word(self, kind: str, channel: Channel, language: str | None, values: Mapping[str, Any]) -> Worded:
        """In the recipient's language, or the clinic's. Raises `Unrenderable`."""
        from notifications.rendering import render

        template = self._templates.best(kind, channel, language)
        rendered = render(template, values)
        return Worded(template.language, template.version, rendered.subject, rendered.text)
