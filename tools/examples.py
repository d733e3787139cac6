"""An example for any JSON schema: the author's own where there is one, else put together from its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

type Schema = dict[str, Any]

_ID = "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e60"
_PAIRED = {
    "slot_start": "2026-11-23T10:00:00+05:30",
    "slot_end": "2026-11-23T10:30:00+05:30",
    "start": "09:00",
    "end": "13:00",
}
_BY_FORMAT = {
    "date-time": "2026-11-23T04:30:00Z",
    "date": "2026-11-23",
    "time": "09:00",
    "uuid": _ID,
    "email": "asha@example.com",
    "binary": "",
}
_BY_NAME = {
    "name": "Asha Rao",
    "email": "asha@example.com",
    "phone": "+919227680402",
    "mrn": "HMS-00000017",
    "department": "Cardiology",
    "specialization": "Interventional cardiology",
    "timezone": "Asia/Kolkata",
    "currency": "INR",
    "amount": "500.00",
    "reason": "The patient asked for it",
    "by": _ID,
    "actor": _ID,
    "weekday": "MONDAY",
    "text": "Needs a wheelchair at the door",
    "action": "appointments:book",
    "roles": "receptionist",
}
_BY_TYPE = {"string": "text", "boolean": True, "null": None, "object": {}}


class Examples:
    """`definitions` are the schemas that `$ref` may name, by the last part of the reference."""

    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self._definitions = definitions

    def of(self, schema: Schema, name: str = "") -> Any:
        if name in _PAIRED:
            return _PAIRED[name]
        for key in ("example", "const"):
            if key in schema:
                return schema[key]
        for key in ("examples", "enum"):
            if schema.get(key):
                return schema[key][0]
        if "$ref" in schema:
            return self.of(self._definitions[schema["$ref"].rpartition("/")[2]], name)
        return self._chosen(schema, name)

    def _chosen(self, schema: Schema, name: str) -> Any:
        for key in ("anyOf", "oneOf"):
            if key in schema:
                real = [option for option in schema[key] if option.get("type") != "null"]
                return self.of(real[0], name)
        if "allOf" in schema:
            return self.of(schema["allOf"][0], name)
        return self._built(schema, name)

    def _built(self, schema: Schema, name: str) -> Any:
        kind = schema.get("type", "object")
        if kind == "array":
            return self._array(schema, name)
        if kind == "object":
            return {key: self.of(part, key) for key, part in _shown(schema).items()}
        if kind in ("integer", "number"):
            return schema.get("default", schema.get("minimum", 1))
        if kind == "string":
            return self._string(schema, name)
        return schema.get("default", _BY_TYPE.get(kind))

    def _array(self, schema: Schema, name: str) -> list[Any]:
        if "prefixItems" in schema:
            return [self.of(item, name) for item in schema["prefixItems"]]
        return [self.of(schema["items"], name)] if schema.get("items") else []

    def _string(self, schema: Schema, name: str) -> str:
        if schema.get("default") is not None:
            return str(schema["default"])
        known = _BY_FORMAT.get(schema.get("format", "")) or _BY_NAME.get(name)
        return known or (_ID if name.endswith("_id") else "text")


def _shown(schema: Schema) -> dict[str, Schema]:
    """The properties without those that are mostly absent, unless nothing else is left."""
    properties: dict[str, Schema] = schema.get("properties", {})
    present = {
        key: part for key, part in properties.items() if "examples" in part or part.get("default", ...) is not None
    }
    return present or properties
