"""HTTP in front of identity."""

from __future__ import annotations

from pathlib import Path

from hms import masking, telemetry
from hms.api import ANY_USER, PUBLIC, Api, Request, Response, answer
from hms.errors import IdempotencyKeyReused, Invalid, InvalidTransition, StaleVersion
from hms.gate import audience, gate
from hms.policy import Policy
from hms.store import DynamoTable
from identity import keys, service, users
from identity.model import (
    ChangePassword,
    CreateUser,
    JsonWebKeys,
    LogIn,
    LogOut,
    RefreshSession,
    Tokens,
    UpdateUser,
    User,
    UserPage,
    UserParams,
)
from identity.rules import (
    AccountInactive,
    AccountLocked,
    EmailTaken,
    InvalidCredentials,
    OwnAccount,
    SessionRevoked,
    UserNotFound,
)
from identity.signing import KmsKey
from identity.store import KeyRing, Sessions, Users

table = DynamoTable()
desk = service.Desk(Users(table), Sessions(table), KeyRing(table), KmsKey(), audience)
app = Api("identity", Policy.load(Path(__file__).with_name("policy.json")), gate(table))
handler = app.handler


@app.route(
    "POST",
    "/v1/auth/login",
    PUBLIC,
    summary="Log in with e-mail and password",
    body=LogIn,
    answers=Tokens,
    problems=(InvalidCredentials, AccountInactive, AccountLocked),
)
def log_in(request: Request, command: LogIn) -> Response:
    try:
        return Response(body=service.log_in(command, request.call, desk))
    except (InvalidCredentials, AccountInactive, AccountLocked) as refusal:
        telemetry.log(
            "WARNING",
            "login refused",
            code=refusal.code,
            email=masking.email(command.email),
            correlation_id=request.call.correlation_id,
        )
        raise


@app.route(
    "POST",
    "/v1/auth/refresh",
    PUBLIC,
    summary="Exchange a refresh token for new tokens",
    body=RefreshSession,
    answers=Tokens,
    problems=(SessionRevoked,),
)
def refresh_session(request: Request, command: RefreshSession) -> Response:
    return Response(body=service.refresh_session(command, request.call, desk))


@app.route("POST", "/v1/auth/logout", ANY_USER, summary="End the session", body=LogOut, status=204)
def log_out(request: Request, command: LogOut) -> Response:
    service.log_out(command, request.call, desk)
    return Response(204)


@app.route("GET", "/v1/me", ANY_USER, summary="Read who is signed in", answers=User)
def get_me(request: Request) -> Response:
    return answer(users.get_user(request.call.who.user_id, desk))


@app.route(
    "POST",
    "/v1/me/password",
    ANY_USER,
    summary="Change one's own password",
    body=ChangePassword,
    status=204,
    problems=(InvalidCredentials, AccountLocked, Invalid, IdempotencyKeyReused),
)
def change_password(request: Request, command: ChangePassword) -> Response:
    service.change_password(command, request.call, desk)
    return Response(204)


@app.route(
    "POST",
    "/v1/users",
    "identity:create_user",
    summary="Let somebody sign in",
    body=CreateUser,
    answers=User,
    status=201,
    problems=(EmailTaken, Invalid, IdempotencyKeyReused),
)
def create_user(request: Request, command: CreateUser) -> Response:
    return answer(users.create_user(command, request.call, desk), 201)


@app.route("GET", "/v1/users", "identity:read_users", summary="List users", query=UserParams, answers=UserPage)
def list_users(request: Request, params: UserParams) -> Response:
    return Response(body=users.list_users(params, request.call, desk))


@app.route(
    "GET", "/v1/users/{user_id}", "identity:read_users", summary="Read a user", answers=User, problems=(UserNotFound,)
)
def get_user(request: Request) -> Response:
    return answer(users.get_user(request.path["user_id"], desk))


@app.route(
    "PATCH",
    "/v1/users/{user_id}",
    "identity:update_user",
    summary="Change a user's roles, links or name",
    body=UpdateUser,
    answers=User,
    problems=(UserNotFound, OwnAccount, StaleVersion, Invalid, IdempotencyKeyReused),
)
def update_user(request: Request, command: UpdateUser) -> Response:
    return answer(users.update_user(request.path["user_id"], command, request.call, desk))


@app.route(
    "POST",
    "/v1/users/{user_id}/deactivate",
    "identity:deactivate_user",
    summary="Keep a user from signing in and end their sessions",
    answers=User,
    problems=(UserNotFound, OwnAccount, InvalidTransition, StaleVersion),
)
def deactivate_user(request: Request) -> Response:
    return answer(users.deactivate_user(request.path["user_id"], request.call, desk))


@app.route(
    "POST",
    "/v1/users/{user_id}/reactivate",
    "identity:reactivate_user",
    summary="Let a user sign in again",
    answers=User,
    problems=(UserNotFound, InvalidTransition, StaleVersion),
)
def reactivate_user(request: Request) -> Response:
    return answer(users.reactivate_user(request.path["user_id"], request.call, desk))


@app.route(
    "POST",
    "/v1/users/{user_id}/unlock",
    "identity:unlock_user",
    summary="Forget a user's failed logins",
    answers=User,
    problems=(UserNotFound,),
)
def unlock_user(request: Request) -> Response:
    return answer(users.unlock_user(request.path["user_id"], desk))


@app.route(
    "GET", "/.well-known/jwks.json", PUBLIC, summary="Read the keys that check access tokens", answers=JsonWebKeys
)
def get_jwks(_request: Request) -> Response:
    return Response(body=keys.listed(desk.key, desk.ring), headers={"Cache-Control": "public, max-age=300"})
