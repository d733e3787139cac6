"""The environment, read at first use so that importing a module needs none."""

from __future__ import annotations

import os


def setting(name: str) -> str:
    """The value of an environment variable; a missing one is a deployment fault and says its name."""
    value = os.environ.get(name)
    if not value:
        message = f"the environment lacks {name}"
        raise RuntimeError(message)
    return value
