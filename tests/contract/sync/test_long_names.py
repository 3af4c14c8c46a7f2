"""Names of more than 255 bytes, which some file systems have, and the agent's buffers have no room for."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from devbox.agent.program import SOURCES
from tests.support.c_program import compiled

SAID = ["event 1", "entry 1"]  # of the short names


@pytest.fixture(scope="module")
def played() -> Path:
    support = Path(__file__).parents[2] / "support"
    return compiled("long-names", [support / "long_names.c", SOURCES / "message.c"], headers=SOURCES)


@pytest.mark.parametrize(
    ("size", "said"),
    [(255, ["event 1", "event 255", "entry 255", "entry 1"]), (256, SAID), (1024, SAID), (4032, SAID)],
)
def test_a_name_that_is_too_long_is_not_told_of(played: Path, size: int, said: Sequence[str]) -> None:
    done = subprocess.run([played, str(size)], capture_output=True, text=True)
    assert (done.returncode, done.stdout.splitlines()) == (0, said)
