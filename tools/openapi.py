"""`openapi.json`: the whole API in OpenAPI 3.1, from the routes and models of the code."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import models_json_schema

from hms.aggregate import Entity
from hms.api import PUBLIC, ProblemView
from tools.examples import Examples
from tools.paths import ROOT
from tools.refusals import alone, refusals, told
from tools.routes import apis, operations
from tools.untitled import Untitled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import BaseModel
    from pydantic.json_schema import JsonSchemaMode

    from hms.api import Route
    from tools.examples import Schema
    from tools.routes import Operation

FILE = ROOT / "functions" / "system" / "openapi.json"
_REF = "#/components/schemas/{model}"
_INFO = {
    "title": "HMS",
    "version": "1",
    "description": (
        "A hospital's operations. Errors are RFC 9457 problems whose `code` is stable. Instants are RFC 3339 with an "
        "offset; unknown fields are refused. Log in with `POST /v1/auth/login` and send the access token as a bearer."
    ),
}
_CORRELATION = "A name for the request; echoed, logged and carried through events."
_KEY = "The same key with the same body answers what it answered before; with another body, 422."


@dataclass(frozen=True, slots=True)
class Schemas:
    """The components, and for each model and direction the reference to its own."""

    components: dict[str, Schema]
    references: Mapping[Any, Schema]
    examples: Examples


def _header(name: str, meaning: str, **more: Any) -> Schema:
    return {"name": name, "in": "header", "description": meaning, "schema": {"type": "string"}, **more}


_PARAMETERS = {
    "Correlation": _header("X-Correlation-ID", _CORRELATION),
    "Key": _header("Idempotency-Key", _KEY),
    "RequiredKey": _header("Idempotency-Key", _KEY, required=True),
    "Seen": _header("If-Match", "The ETag you have seen; 412 where it has changed since."),
    "Had": _header("If-None-Match", "The ETag you have; 304 where it is still so."),
}
_ANSWERED = {
    "Correlation": {"description": _CORRELATION, "schema": {"type": "string"}},
    "Version": {"description": "The version, for If-Match.", "schema": {"type": "string"}},
    "Replayed": {
        "description": "`true` where an earlier request with this key had done it.",
        "schema": {"type": "string"},
    },
}


def write() -> None:
    FILE.write_text(render())


def render() -> str:
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


def document() -> dict[str, Any]:
    schemas = _schemas()
    paths: dict[str, dict[str, Any]] = {}
    for one in operations():
        paths.setdefault(one.route.path, {})[one.route.method.lower()] = _operation(one, schemas)
    return {
        "openapi": "3.1.0",
        "info": _INFO,
        "servers": [{"url": ".", "description": "where this description is served"}],
        "tags": [{"name": domain, "description": import_module(domain).__doc__ or domain} for domain in apis()],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "responses": alone(),
            "examples": told(),
            "parameters": _PARAMETERS,
            "headers": _ANSWERED,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def example_body(route: Route) -> Any:
    """What a client may send; None where the operation takes no body."""
    return _body(route.body, _schemas())["content"]["application/json"]["example"] if route.body else None


@cache
def _schemas() -> Schemas:
    wanted: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {(ProblemView, "serialization"): None}
    for one in operations():
        wanted |= dict.fromkeys(_models(one.route))
    references, definitions = models_json_schema(list(wanted), ref_template=_REF, schema_generator=Untitled)
    components = definitions.get("$defs", {})
    return Schemas(dict(sorted(components.items())), references, Examples(components))


def _models(route: Route) -> Iterator[tuple[type[BaseModel], JsonSchemaMode]]:
    if route.body:
        yield route.body, "validation"
    if route.query:
        yield route.query, "validation"
    if route.answers:
        yield route.answers, "serialization"


def _operation(one: Operation, schemas: Schemas) -> dict[str, Any]:
    route = one.route
    answer = _answer(route, schemas)
    return {
        "operationId": route.operation_id,
        "tags": [one.domain],
        "summary": route.summary,
        **_described(route),
        **_authority(one),
        "parameters": [*_path(route), *_query(route, schemas), *_headers(route)],
        **({"requestBody": _body(route.body, schemas)} if route.body else {}),
        "responses": {**{str(one): answer for one in (route.status, *route.also)}, **refusals(route)},
    }


def _described(route: Route) -> dict[str, str]:
    text = (route.handle.__doc__ or "").strip()
    return {"description": text} if text else {}


def _authority(one: Operation) -> dict[str, Any]:
    permission = one.route.permission
    if permission == PUBLIC:
        return {"security": [], "x-permission": permission}
    roles = apis()[one.domain].policy.table.get(permission)
    return {"security": [{"bearer": []}], "x-permission": permission, **({"x-roles": roles} if roles else {})}


def _path(route: Route) -> Iterator[Schema]:
    for name in (part.strip("{}") for part in route.path.split("/") if part.startswith("{")):
        schema = {"type": "string", "format": "uuid"} if name.endswith("_id") else {"type": "string"}
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _query(route: Route, schemas: Schemas) -> Iterator[Schema]:
    if route.query:
        model = _resolved(schemas, route.query)
        for name, schema in model.get("properties", {}).items():
            yield {"name": name, "in": "query", "required": name in model.get("required", []), "schema": schema}
    if route.body:
        properties = _resolved(schemas, route.body).get("properties", {})
        for alias, name in route.query_aliases.items():
            yield {"name": alias, "in": "query", "deprecated": True, "schema": properties[name]}


def _resolved(schemas: Schemas, model: type[BaseModel]) -> Schema:
    reference: str = schemas.references[model, "validation"]["$ref"]
    return schemas.components[reference.rpartition("/")[2]]


def _headers(route: Route) -> Iterator[Schema]:
    yield _shared("parameters", "Correlation")
    if route.method != "GET":
        yield _shared("parameters", "RequiredKey" if route.key_required else "Key")
    if route.method != "GET" and "{" in route.path:
        yield _shared("parameters", "Seen")
    if route.method == "GET" and _has_version(route):
        yield _shared("parameters", "Had")


def _shared(kind: str, name: str) -> Schema:
    return {"$ref": f"#/components/{kind}/{name}"}


def _has_version(route: Route) -> bool:
    return route.answers is not None and issubclass(route.answers, Entity)


def _body(body: type[BaseModel], schemas: Schemas) -> Schema:
    content = _content(body, "validation", schemas)
    needed = any(field.is_required() for field in body.model_fields.values())
    return {"required": needed, "content": {"application/json": content}}


def _content(model: type[BaseModel], mode: JsonSchemaMode, schemas: Schemas) -> Schema:
    reference = schemas.references[model, mode]
    return {"schema": reference, "example": schemas.examples.of(reference)}


def _answer(route: Route, schemas: Schemas) -> Schema:
    headers = {"X-Correlation-ID": _shared("headers", "Correlation")}
    if _has_version(route):
        headers["ETag"] = _shared("headers", "Version")
    if route.method != "GET":
        headers["Idempotency-Replayed"] = _shared("headers", "Replayed")
    answer: Schema = {"description": route.summary, "headers": headers}
    if route.answers:
        answer["content"] = {route.media_type: _content(route.answers, "serialization", schemas)}
    elif route.status != 204:
        answer["content"] = {route.media_type: {}}
    return answer
