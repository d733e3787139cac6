"""How the simulated processor behaves, by the source that is charged (docs/how-to/payments.md)."""

from __future__ import annotations

import re
from typing import NamedTuple

_TOKEN = re.compile(r"tok_[a-z0-9_]{1,60}")
_VPA = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}@[A-Za-z][A-Za-z0-9]{1,63}")
# As long as a card number: it is not kept, whatever is written around it.
_CARD_NUMBER = re.compile(r"([0-9][ ._-]?){13}")


class Reason(NamedTuple):
    code: str
    detail: str


class Behaviour(NamedTuple):
    """What happens to a charge of a source, and to refunds of it. `captured_after` is in seconds."""

    declined: Reason | None = None
    ignored: bool = False
    answered_late: bool = False
    captured_after: int = 0
    told_times: int = 1
    refunds_declined: Reason | None = None
    refunds_answered_late: bool = False


_INVALID = Behaviour(declined=Reason("INVALID_SOURCE", "This is not a card or an account that can be charged."))
_NO_REFUND = Reason("REFUND_DECLINED", "The card's bank does not take money back.")
_BEHAVIOURS = {
    "tok_declined": Behaviour(declined=Reason("CARD_DECLINED", "The card was declined.")),
    "tok_insufficient_funds": Behaviour(declined=Reason("INSUFFICIENT_FUNDS", "There is not enough money.")),
    "tok_expired_card": Behaviour(declined=Reason("EXPIRED_CARD", "The card has expired.")),
    "tok_slow_success": Behaviour(answered_late=True),
    "tok_slow_nothing": Behaviour(ignored=True),
    "tok_async": Behaviour(captured_after=3),
    "tok_duplicate_webhooks": Behaviour(told_times=3),
    "tok_refund_declined": Behaviour(refunds_declined=_NO_REFUND),
    "tok_refund_slow": Behaviour(refunds_answered_late=True),
    "failure@upi": Behaviour(declined=Reason("UPI_DECLINED", "The payment was declined in the payer's app.")),
}


def chargeable(source: str | None) -> str | None:
    """The source where it has the form of a token or a UPI address; None for all else, card numbers above all."""
    if source is None or _CARD_NUMBER.search(source):
        return None
    return source if _TOKEN.fullmatch(source) or _VPA.fullmatch(source) else None


def behaviour_of(source: str | None) -> Behaviour:
    """Tokens and UPI addresses that are not in the table are charged at once."""
    known = chargeable(source)
    return _BEHAVIOURS.get(known, Behaviour()) if known else _INVALID
