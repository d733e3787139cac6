"""JSON schemas without a title for each field: its key says it."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema


class Untitled(GenerateJsonSchema):
    def field_title_should_be_set(self, _schema: Any) -> bool:
        return False
