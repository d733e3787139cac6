"""Whether a contract still keeps what an older one promised to those who read the events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

type Schema = Mapping[str, Any]

_EXACT = ("type", "format", "pattern", "const")


def breaking(old: Schema, new: Schema) -> list[str]:
    """What a consumer of `old` could trip over in an event that meets `new`; empty where nothing.

    A producer may say more (new fields) and be stricter (fewer values, no more null). It may not say less or otherwise.
    """
    return list(_Comparison(old, new).of("event", old, new))


class _Comparison:
    """Both contracts at hand, since each resolves its own references."""

    def __init__(self, old: Schema, new: Schema) -> None:
        self._old = old
        self._new = new
        self._open: set[tuple[str, str]] = set()

    def of(self, place: str, old: Schema, new: Schema) -> Iterator[str]:
        pair = (str(old.get("$ref")), str(new.get("$ref")))
        if "$ref" in old and pair in self._open:
            return  # A definition that holds itself is being compared already.
        self._open.add(pair)
        yield from self._compared(place, _resolved(old, self._old), _resolved(new, self._new))
        self._open.discard(pair)

    def _compared(self, place: str, old: Schema, new: Schema) -> Iterator[str]:
        if "anyOf" in old or "anyOf" in new:
            yield from self._alternatives(place, old, new)
            return
        yield from self._values(place, old, new)
        yield from self._fields(place, old, new)
        yield from self._members(place, old, new)

    def _alternatives(self, place: str, old: Schema, new: Schema) -> Iterator[str]:
        """Each way in which the new one may come is a way that was known."""
        known = old.get("anyOf", [old])
        for one in new.get("anyOf", [new]):
            faults = [list(self.of(place, before, one)) for before in known]
            if all(faults):
                yield min(faults, key=len)[0] if len(known) == 1 else f"{place} may be {_told(one)}, which it was not"

    def _values(self, place: str, old: Schema, new: Schema) -> Iterator[str]:
        for word in _EXACT:
            if word in old and old[word] != new.get(word):
                yield f"{place}: {word} was {old[word]!r}, is {new.get(word)!r}"
        if "enum" in old:
            widened = [value for value in new.get("enum", ["anything"]) if value not in old["enum"]]
            if widened:
                yield f"{place} may be {', '.join(map(str, widened))}, which it was not"

    def _fields(self, place: str, old: Schema, new: Schema) -> Iterator[str]:
        fields = new.get("properties", {})
        for name, before in old.get("properties", {}).items():
            there = f"{place}.{name}"
            if name not in fields:
                yield f"{there} is gone"
                continue
            if name in old.get("required", ()) and name not in new.get("required", ()):
                yield f"{there} may be missing, which it was not"
            yield from self.of(there, before, fields[name])

    def _members(self, place: str, old: Schema, new: Schema) -> Iterator[str]:
        for word in ("items", "additionalProperties"):
            if isinstance(old.get(word), dict):
                now = new.get(word)
                yield from self.of(f"{place}[]", old[word], now if isinstance(now, dict) else {})
        for number, before in enumerate(old.get("prefixItems", ())):
            now = [*new.get("prefixItems", ())][number : number + 1]
            yield from self.of(f"{place}[{number}]", before, now[0] if now else {})


def _resolved(schema: Schema, whole: Schema) -> Schema:
    while "$ref" in schema:
        found: Any = whole
        for key in schema["$ref"].removeprefix("#/").split("/"):
            found = found[key]
        schema = found
    return schema


def _told(schema: Schema) -> str:
    return str(schema.get("type") or schema.get("$ref", "anything").rpartition("/")[2])
