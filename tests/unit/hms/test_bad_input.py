"""Whatever arrives is answered with a problem of the right status, and nothing throws."""

from __future__ import annotations

import base64
import json
from typing import Annotated, Any

import pytest
from pydantic import Field

from hms.api import PUBLIC, Api, Request, Response
from hms.fields import Command, Instant, Line
from hms.money import Money
from hms.pages import PageParams
from hms.policy import Policy
from tests.support.http import Answer, event, sent

app = Api("things", Policy({}))
THING_ID = "01931c2e-7b1f-7c39-9d54-3b1c2a4f5e60"
GOOD: dict[str, Any] = {
    "name": "Asha",
    "count": 1,
    "at": "2026-11-23T10:00:00+05:30",
    "price": {"amount": "500.00", "currency": "INR"},
    "tags": ["a"],
}


class MakeThing(Command):
    name: Line
    count: int
    at: Instant
    price: Money
    tags: Annotated[tuple[Line, ...], Field(min_length=1)] = ("a",)


@app.route("POST", "/v1/things", PUBLIC, summary="Make a thing", body=MakeThing, query_aliases={"new_at": "at"})
def make_thing(_request: Request, command: MakeThing) -> Response:
    return Response(201, command)


@app.route("GET", "/v1/things", PUBLIC, summary="List things", query=PageParams)
def list_things(_request: Request, page: PageParams) -> Response:
    return Response(200, page)


@app.route("GET", "/v1/things/{thing_id}", PUBLIC, summary="Read a thing")
def get_thing(request: Request) -> Response:
    return Response(200, request.path["thing_id"])


@app.route("POST", "/v1/things/{thing_id}/pay", PUBLIC, summary="Pay a thing", body=MakeThing, key_required=True)
def pay_thing(_request: Request, command: MakeThing) -> Response:
    return Response(200, command)


def but(**changes: Any) -> str:
    return json.dumps(GOOD | changes)


def without(name: str) -> str:
    return json.dumps({key: value for key, value in GOOD.items() if key != name})


BODIES = {
    "an empty body": ("", 422, "INVALID"),
    "nothing but spaces": ("   ", 400, "MALFORMED"),
    "broken JSON": ('{"name": ', 400, "MALFORMED"),
    "no JSON": ("name=Asha", 400, "MALFORMED"),
    "two documents": (but() + but(), 400, "MALFORMED"),
    "a byte order mark": ("\ufeff" + but(), 400, "MALFORMED"),
    "null": ("null", 422, "INVALID"),
    "a list": ("[]", 422, "INVALID"),
    "a number": ("7", 422, "INVALID"),
    "a text": ('"Asha"', 422, "INVALID"),
    "a missing field": (without("name"), 422, "INVALID"),
    "an unknown field": (but(colour="red"), 422, "INVALID"),
    "an unknown field without a name": (but(**{"": 1}), 422, "INVALID"),
    "an unknown field with a very long name": (but(**{"x" * 9999: 1}), 422, "INVALID"),
    "an unknown field inside": (but(price={"amount": "1.00", "colour": "red"}), 422, "INVALID"),
    "five thousand unknown fields": (but(**{f"x{number}": 1 for number in range(5000)}), 422, "INVALID"),
    "a name given twice": ('{"name": "Asha", "name": "Rao"}', 400, "MALFORMED"),
    "a name given twice inside": ('{"price": {"amount": "1.00", "amount": "2.00"}}', 400, "MALFORMED"),
    "a number for text": (but(name=7), 422, "INVALID"),
    "text for a number": (but(count="1"), 422, "INVALID"),
    "a truth for a number": (but(count=True), 422, "INVALID"),
    "a fraction for a whole number": (but(count=1.5), 422, "INVALID"),
    "text for a list": (but(tags="a"), 422, "INVALID"),
    "a list for an object": (but(price=[]), 422, "INVALID"),
    "null for a field": (but(name=None), 422, "INVALID"),
    "an empty name": (but(name=""), 422, "INVALID"),
    "a name of spaces": (but(name="   "), 422, "INVALID"),
    "a name too long": (but(name="x" * 201), 422, "INVALID"),
    "a NUL": (but(name="A\0sha"), 422, "INVALID"),
    "a raw NUL": ('{"name": "A\0sha"}', 400, "MALFORMED"),
    "a line break in a line": (but(name="Asha\nRao"), 422, "INVALID"),
    "writing turned around": (but(name="Asha\u202eoaR"), 422, "INVALID"),
    "a lone surrogate, escaped": ('{"name": "\\ud800"}', 400, "MALFORMED"),
    "a lone surrogate, raw": ('{"name": "\ud800"}', 400, "MALFORMED"),
    "a lone surrogate in an unknown name": ('{"\\ud800": 1}', 400, "MALFORMED"),
    "a replacement character": ('{"name": "A\ufffdsha"}', 400, "MALFORMED"),
    "NaN": ('{"count": NaN}', 400, "MALFORMED"),
    "Infinity": ('{"price": {"amount": Infinity}}', 400, "MALFORMED"),
    "minus Infinity": ('{"price": {"amount": -Infinity}}', 400, "MALFORMED"),
    "a number of 5,000 digits": (f'{{"count": {"9" * 5000}}}', 400, "MALFORMED"),
    "a number of 4,000 digits for money": (f'{{"price": {{"amount": {"9" * 4000}}}}}', 422, "INVALID"),
    "a number beyond floats": (but(price={"amount": "1e999"}), 422, "INVALID"),
    "a float beyond floats": ('{"price": {"amount": 1e999}}', 422, "INVALID"),
    "money with three decimals": (but(price={"amount": "1.005"}), 422, "INVALID"),
    "negative money": (but(price={"amount": "-1.00"}), 422, "INVALID"),
    "money that is NaN": (but(price={"amount": "NaN"}), 422, "INVALID"),
    "a currency in small letters": (but(price={"amount": "1.00", "currency": "inr"}), 422, "INVALID"),
    "a naive instant": (but(at="2026-11-23T10:00:00"), 422, "INVALID"),
    "a day for an instant": (but(at="2026-11-23"), 422, "INVALID"),
    "an instant that never was": (but(at="2026-02-30T10:00:00Z"), 422, "INVALID"),
    "a number for an instant": (but(at=1795231117), 422, "INVALID"),
    "an instant in the year 9999": (but(at="9999-12-31T23:59:59-12:00"), 422, "INVALID"),
    "an instant in the year 1": (but(at="0001-01-01T00:00:00+12:00"), 422, "INVALID"),
    "deep lists": ("[" * 100_000, 400, "MALFORMED"),
    "deep lists, closed": ("[" * 100_000 + "]" * 100_000, 400, "MALFORMED"),
    "deep objects": ('{"a":' * 40_000 + "1" + "}" * 40_000, 400, "MALFORMED"),
    "a megabyte": (but(name="x" * 1_000_000), 413, "TOO_LARGE"),
    "a little too much": (but(name="x" * 256 * 1024), 413, "TOO_LARGE"),
}


def is_a_problem(answer: Answer, status: int, code: str) -> None:
    assert answer.status == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert {"type", "title", "status", "detail", "instance", "code", "correlation_id", "errors"} == set(answer.json)
    assert answer.json["code"] == code
    assert answer.json["status"] == status
    assert len(answer.text) < 16_000
    answer.text.encode()


@pytest.mark.parametrize(("body", "status", "code"), BODIES.values(), ids=BODIES)
def test_a_bad_body_is_refused(body: str, status: int, code: str) -> None:
    answer = sent(app, "POST", "/v1/things", raw=body)

    is_a_problem(answer, status, code)
    if code == "INVALID":
        assert answer.json["errors"]


def test_a_good_body_is_taken() -> None:
    answer = sent(app, "POST", "/v1/things", GOOD)

    assert answer.status == 201
    assert answer.json == GOOD | {"at": "2026-11-23T04:30:00Z"}


def test_a_wrong_member_of_a_list_is_not_told_as_a_list_that_is_too_short() -> None:
    wrong, none = (sent(app, "POST", "/v1/things", raw=but(tags=tags)) for tags in ([""], []))

    assert [error["field"] for error in wrong.json["errors"]] == ["tags.0"]
    assert [(error["field"], error["code"]) for error in none.json["errors"]] == [("tags", "too_short")]


def test_a_refusal_names_the_field_and_never_its_value() -> None:
    answer = sent(app, "POST", "/v1/things", GOOD | {"price": {"amount": "1.00", "currency": "secret"}})

    assert [error["field"] for error in answer.json["errors"]] == ["price.currency"]
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        pytest.param("!!!", 400, "MALFORMED", id="no base64"),
        pytest.param(base64.b64encode(b"\xff\xfe{}").decode(), 400, "MALFORMED", id="no UTF-8"),
        pytest.param(base64.b64encode('{"name": "é"}'.encode("latin-1")).decode(), 400, "MALFORMED", id="Latin-1"),
        pytest.param(base64.b64encode(json.dumps(GOOD).encode("utf-16")).decode(), 400, "MALFORMED", id="UTF-16"),
        pytest.param(base64.b64encode(b"\x1f\x8b\x08\x00").decode(), 400, "MALFORMED", id="gzip"),
        pytest.param(base64.b64encode(b"x" * 300_000).decode(), 413, "TOO_LARGE", id="too large"),
    ],
)
def test_a_bad_binary_body_is_refused(body: str, status: int, code: str) -> None:
    is_a_problem(sent(app, "POST", "/v1/things", raw=body, base64_encoded=True), status, code)


def test_a_good_binary_body_is_taken() -> None:
    body = base64.b64encode(json.dumps(GOOD).encode()).decode()

    assert sent(app, "POST", "/v1/things", raw=body, base64_encoded=True).status == 201


@pytest.mark.parametrize("media_type", ["text/plain", "application/xml", "multipart/form-data; boundary=x", "", "x"])
def test_another_media_type_is_refused(media_type: str) -> None:
    answer = sent(app, "POST", "/v1/things", GOOD, headers={"Content-Type": media_type})

    is_a_problem(answer, 415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize("media_type", ["application/json", "Application/JSON; charset=utf-8"])
def test_the_media_type_is_read_as_http_means_it(media_type: str) -> None:
    assert sent(app, "POST", "/v1/things", GOOD, headers={"Content-Type": media_type}).status == 201


@pytest.mark.parametrize(
    "query",
    [
        pytest.param({"limit": "0"}, id="below"),
        pytest.param({"limit": "101"}, id="above"),
        pytest.param({"limit": "many"}, id="no number"),
        pytest.param({"limit": ""}, id="empty"),
        pytest.param({"limit": "9" * 5000}, id="endless"),
        pytest.param({"limit": ["1", "2"]}, id="repeated"),
        pytest.param({"colour": "red"}, id="unknown"),
        pytest.param({"\ud800": "1"}, id="unknown, a lone surrogate"),
        pytest.param({"cursor": "\ud800"}, id="a lone surrogate"),
        pytest.param({"cursor": "x" * 2001}, id="too long"),
    ],
)
def test_a_bad_query_is_refused(query: dict[str, Any]) -> None:
    is_a_problem(sent(app, "GET", "/v1/things", query=query), 422, "INVALID")


def test_parameters_of_an_operation_that_takes_none_are_refused() -> None:
    answer = sent(app, "GET", "/v1/things/{thing_id}", path={"thing_id": THING_ID}, query={"colour": "red"})

    is_a_problem(answer, 422, "INVALID")


def test_an_older_clients_query_fills_the_body() -> None:
    body = {name: value for name, value in GOOD.items() if name != "at"}

    assert sent(app, "POST", "/v1/things", body, query={"new_at": GOOD["at"]}).status == 201
    is_a_problem(sent(app, "POST", "/v1/things", body, query={"at": GOOD["at"]}), 422, "INVALID")
    is_a_problem(sent(app, "POST", "/v1/things", [], query={"new_at": GOOD["at"]}), 400, "MALFORMED")


@pytest.mark.parametrize("thing_id", ["1", "x" * 5000, "..%2F..", "\0", "%00", THING_ID + "0", "\ud800", "' OR 1=1"])
def test_what_cannot_be_an_id_is_not_found(thing_id: str) -> None:
    is_a_problem(sent(app, "GET", "/v1/things/{thing_id}", path={"thing_id": thing_id}), 404, "NOT_FOUND")


def test_an_id_in_capitals_is_the_same_id() -> None:
    assert sent(app, "GET", "/v1/things/{thing_id}", path={"thing_id": THING_ID.upper()}).text == THING_ID


@pytest.mark.parametrize("key", ["", " ", "é", "a b", "x" * 256, "\0"])
def test_a_bad_idempotency_key_is_refused(key: str) -> None:
    is_a_problem(sent(app, "POST", "/v1/things", GOOD, headers={"Idempotency-Key": key}), 400, "MALFORMED")


def test_a_command_that_needs_a_key_says_so() -> None:
    answer = sent(app, "POST", "/v1/things/{thing_id}/pay", GOOD, path={"thing_id": THING_ID})

    is_a_problem(answer, 400, "IDEMPOTENCY_KEY_REQUIRED")


def test_a_route_that_nobody_declared_is_not_found() -> None:
    is_a_problem(sent(app, "DELETE", "/v1/things"), 404, "NOT_FOUND")


@pytest.mark.parametrize("value", ["", "x" * 129, "a\r\nSet-Cookie: a=b", "\ud800", "<script>"])
def test_a_bad_correlation_id_is_replaced(value: str) -> None:
    headers = {"X-Correlation-ID": value, "X-Request-ID": value}

    answer = sent(app, "GET", "/v1/things", headers=headers)

    assert answer.status == 200
    assert answer.headers["X-Correlation-ID"] not in ("", value)
    assert answer.headers["X-Request-ID"] == answer.headers["X-Correlation-ID"]


def test_missing_headers_and_parameters_are_no_fault() -> None:
    bare = event("GET", "/v1/things") | {"headers": None, "multiValueQueryStringParameters": None}

    assert Answer(app.handler(bare)).status == 200
