"""What the operator and the deployment ask of identity."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from hms import clock, ids
from hms.auth import Principal
from hms.call import Call
from hms.errors import Problem
from hms.gate import audience
from hms.store import DynamoTable
from hms.tasks import Tasks
from identity import keys, users
from identity.model import CreateUser
from identity.service import Desk
from identity.signing import KmsKey
from identity.store import KeyRing, Sessions, Users

if TYPE_CHECKING:
    from hms.tasks import Payload

table = DynamoTable()
desk = Desk(Users(table), Sessions(table), KeyRing(table), KmsKey(), audience)
tasks = Tasks()
handler = tasks.handler
_OPERATOR = Principal("operator", roles=("service",))


@tasks.task("create_user")
def create_user(payload: Payload) -> Payload:
    """`{email, password, roles, patient_id?, doctor_id?, name?}`; for an address that is taken, the user who has it."""
    given = {name: value for name, value in payload.items() if name in CreateUser.model_fields}
    call = Call(_OPERATOR, clock.now(), payload.get("correlation_id") or ids.new())
    try:
        outcome = users.ensure_user(CreateUser.model_validate(given, strict=False), call, desk)
    except ValidationError as error:
        wrong = [".".join(map(str, detail["loc"])) for detail in error.errors(include_input=False)]
        return {"outcome": "refused", "problem": {"code": "INVALID", "fields": wrong}}
    except Problem as problem:
        fields = [one.field for one in problem.errors]
        return {"outcome": "refused", "problem": {"code": problem.code, "detail": problem.detail, "fields": fields}}
    return {"outcome": "ok", "created": not outcome.replayed, "user": outcome.state.model_dump(mode="json")}


@tasks.task("publish_keys")
def publish_keys(payload: Payload) -> Payload:
    """Publishes the key that signs, or with `key_id` one that is to sign later."""
    ahead = payload.get("key_id")
    kid = keys.publish(KmsKey(ahead) if ahead else desk.key, desk.ring, signs=not ahead)
    return {"outcome": "ok", "kid": kid, "published": [key["kid"] for key in desk.ring.read().keys]}
