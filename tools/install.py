"""Makes the project importable in its own environment and gives it the `hms` command."""

import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = (ROOT, ROOT / "functions", ROOT / "layers" / "hms")
COMMAND = '#!/bin/sh\nexec "$(dirname "$(readlink -f "$0")")/python" -m tools.cli "$@"\n'


def install() -> None:
    Path(sysconfig.get_path("purelib"), "hms-project.pth").write_text("".join(f"{path}\n" for path in SOURCES))
    command = Path(sys.prefix, "bin", "hms")
    command.write_text(COMMAND)
    command.chmod(0o755)


if __name__ == "__main__":
    install()
