"""The promises, each proved by a module of its name: `tools.proofs.p1` … with `prove(system, full) -> Report`.

`NEEDS_SYSTEM = True` in a module asks for a deployed system; the others get None.
"""

from __future__ import annotations

from typing import NamedTuple


class Report(NamedTuple):
    """`figure` is what was measured and `target` what was promised, both as they are shown."""

    name: str
    what: str
    figure: str
    target: str
    met: bool
