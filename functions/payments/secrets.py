"""What only the processor and we know: SecureString parameters of SSM, read at first use and kept by the process."""

from __future__ import annotations

from functools import cache
from typing import Any

from hms.errors import Busy
from hms.settings import setting

_CONNECT_SECONDS, _READ_SECONDS = 1, 2


def webhook_secret(gateway: str) -> str:
    """The secret that a gateway signs its notices with. Raises `Busy` where SSM does not give it."""
    if gateway == "stripe":
        return parameter(setting("STRIPE_WEBHOOK_SECRET_PARAMETER"))
    return setting("SIMULATOR_SECRET")


@cache
def parameter(name: str) -> str:
    """The value of an SSM parameter. Raises `Busy`: what was not read is asked for again at the next use."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        answer = _ssm().get_parameter(Name=name, WithDecryption=True)
    except (BotoCoreError, ClientError) as error:
        raise Busy("A secret could not be read; send the request again.") from error
    return str(answer["Parameter"]["Value"])


@cache
def _ssm() -> Any:
    from botocore.config import Config
    from botocore.session import get_session

    config = Config(connect_timeout=_CONNECT_SECONDS, read_timeout=_READ_SECONDS, retries={"total_max_attempts": 2})
    return get_session().create_client("ssm", config=config)
