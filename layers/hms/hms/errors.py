"""Refusals and faults. Each becomes one `application/problem+json` answer; `hms.api` does the mapping, nothing else."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field: dotted path, stable code, a sentence. Never the value: it may be personal."""

    field: str
    code: str
    detail: str


class Problem(Exception):
    """A request that is not carried out. A refusal has written nothing; a fault (500) says to send it again.

    `status` is the HTTP status, `code` the stable name that clients branch on, `detail` a sentence for people.
    """

    status = 500
    code = "INTERNAL"
    detail = "Something went wrong on our side. Send it again with the same Idempotency-Key."

    def __init__(
        self,
        detail: str | None = None,
        *,
        code: str | None = None,
        errors: tuple[FieldError, ...] = (),
        retry_after: int | None = None,
    ) -> None:
        self.code = code or self.code
        self.detail = detail or self.detail
        self.errors = errors
        self.retry_after = retry_after
        super().__init__(f"{self.code}: {self.detail}")

    @property
    def title(self) -> str:
        return self.code.replace("_", " ").capitalize()


class Malformed(Problem):
    status, code, detail = 400, "MALFORMED", "The request could not be read."


class IdempotencyKeyRequired(Problem):
    status, code, detail = 400, "IDEMPOTENCY_KEY_REQUIRED", "This request needs an Idempotency-Key header."


class Unauthenticated(Problem):
    status, code, detail = 401, "UNAUTHENTICATED", "A valid access token is needed."


class Forbidden(Problem):
    status, code, detail = 403, "FORBIDDEN", "Your roles do not allow this, or it is not yours."


class NotFound(Problem):
    status, code, detail = 404, "NOT_FOUND", "There is nothing here."


class Conflicting(Problem):
    """A rule that the present state does not allow to be met (409)."""

    status, code, detail = 409, "CONFLICT", "The present state does not allow this."


class InvalidTransition(Conflicting):
    code = "INVALID_TRANSITION"


class StaleVersion(Problem):
    status, code, detail = 412, "STALE_VERSION", "It was changed since you read it; read it again."


class TooLarge(Problem):
    status, code, detail = 413, "TOO_LARGE", "The body is too large."


class NotAcceptable(Problem):
    status, code, detail = 406, "NOT_ACCEPTABLE", "Name the answer's media type first in the Accept header."


class UnsupportedMediaType(Problem):
    status, code, detail = 415, "UNSUPPORTED_MEDIA_TYPE", "Send the body as application/json."


class Invalid(Problem):
    """Fields that are wrong in themselves (422); `errors` names them."""

    status, code, detail = 422, "INVALID", "Some fields are not right."


class Refused(Problem):
    """A rule that the request itself breaks (422)."""

    status, code, detail = 422, "REFUSED", "A rule does not allow this."


class IdempotencyKeyReused(Problem):
    status, code = 422, "IDEMPOTENCY_KEY_REUSED"
    detail = "This Idempotency-Key was used with another request."


class Busy(Problem):
    """Contention or a sleeping neighbour: the same request may be sent again (503 with `Retry-After`)."""

    status, code, detail = 503, "BUSY", "The request could not be decided in time; send it again."

    def __init__(self, detail: str | None = None, *, code: str | None = None, retry_after: int = 1) -> None:
        super().__init__(detail, code=code, retry_after=retry_after)
