"""JSON schemas as readers want them: no title for each field, as its key says it, and bounds in their own words."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from hms.money import MINOR_DIGITS

_BOUNDS = {"gt": "exclusiveMinimum", "ge": "minimum", "le": "maximum"}


class Untitled(GenerateJsonSchema):
    def field_title_should_be_set(self, _schema: Any) -> bool:
        return False

    def generate_inner(self, schema: Any) -> dict[str, Any]:
        """Pydantic tells the bounds of amounts in names of its own and in minor units; a number on the wire is in major
        ones, and of a text JSON Schema can say no bounds."""
        told = super().generate_inner(schema)
        bounds = {_BOUNDS[name]: told.pop(name) / 10**MINOR_DIGITS for name in _BOUNDS if name in told}
        if bounds and "anyOf" in told:
            told["anyOf"] = [one | bounds if one.get("type") == "number" else one for one in told["anyOf"]]
        return told
