"""What processors tell unasked. A notice says where to look, never what is so: the gateway is looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hms import clock, telemetry
from hms.errors import Malformed, Unauthenticated
from payments import signatures, sweep
from payments.model import Status
from payments.signatures import BadSignature, Notice

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hms.call import Call
    from payments.service import Office


def take(gateway: str, notice: Notice, call: Call, office: Office) -> bool:
    """Whether this notice comes for the first time. What is decided is decided no more, however often it comes."""
    first = office.payments.note(gateway, notice.event_id, call.now)
    told = {"event_id": notice.event_id, "kind": notice.kind, "key": notice.key}
    telemetry.log("INFO", "notice", gateway=gateway, first=first, correlation_id=call.correlation_id, **told)
    if notice.key and notice.kind == "PAYMENT":
        _look_at_payment(notice.key, call, office)
    elif notice.key and sweep.pursue_refund(notice.key, call, office):
        sweep.recheck_refund(notice.key, office)
    return first


def verified(gateway: str, body: bytes, headers: Mapping[str, str], secret: Callable[[str], str]) -> Notice:
    """What a notice is about. Raises `Unauthenticated` where the signature is not right, `Malformed`, `Busy`."""
    given = {name.lower(): value for name, value in headers.items()}
    try:
        signatures.verify(given.get(signatures.HEADERS[gateway].lower()), body, secret(gateway), clock.wall())
    except BadSignature as error:
        telemetry.log("WARNING", "notice not signed", gateway=gateway, reason=str(error))
        raise Unauthenticated("The signature is not right.") from error
    try:
        return signatures.notice(gateway, body)
    except ValueError as error:
        raise Malformed("The body is no event.") from error


def _look_at_payment(payment_id: str, call: Call, office: Office) -> None:
    """And at its refunds that are on their way: some processors tell of the payment only."""
    sweep.pursue_payment(payment_id, call, office)
    for one in office.refunds.of_payment(payment_id).refunds:
        if one.status is Status.PENDING:
            sweep.pursue_refund(one.refund_id, call, office)
