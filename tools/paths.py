"""Where the project keeps what it makes."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCAL = ROOT / ".local"
BUILD = ROOT / ".aws-sam" / "build"
SAM = ROOT / ".tools" / "sam" / "bin" / "sam"
MINISTACK_PYTHON = ROOT / ".tools" / "ministack" / "bin" / "python"
TEST_LAYER = ROOT / "layers" / "testing"
GATEWAY = ROOT / "gateway.yaml"
DOMAINS = sorted(path.parent.name for path in ROOT.glob("functions/*/Makefile"))
