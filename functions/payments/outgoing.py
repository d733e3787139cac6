"""HTTP to others, by the library that botocore brings, trusting whom botocore trusts."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from urllib3 import PoolManager


@cache
def pool(connect_seconds: float, answer_seconds: float) -> PoolManager:
    """Connections that try once and follow no redirection."""
    from botocore.httpsession import get_cert_path
    from urllib3 import PoolManager, Timeout

    timeout = Timeout(connect=connect_seconds, read=answer_seconds)
    return PoolManager(timeout=timeout, retries=False, ca_certs=get_cert_path(True))
