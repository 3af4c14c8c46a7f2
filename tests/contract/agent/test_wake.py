"""`agent wake`: what it is not given whole changes nothing. That it works is shown in a machine: it sets the clock."""

import os
import subprocess
import time

import pytest

from devbox.agent import program


def _wake(nanoseconds: str, seed: bytes) -> subprocess.CompletedProcess[bytes]:
    words = [str(program.binary(os.uname().machine)), "wake", nanoseconds]
    return subprocess.run(words, input=seed, capture_output=True)


@pytest.mark.parametrize("nanoseconds", ["", "-1", "x", "1x", " 1", "99999999999999999999999"])
def test_what_is_no_time_is_refused(nanoseconds: str) -> None:
    done = _wake(nanoseconds, bytes(64))
    assert (done.returncode, done.stderr) == (1, b"agent: the time: Invalid argument\n")


@pytest.mark.parametrize("size", [0, 1, 63])
def test_with_too_few_random_bytes_not_even_the_clock_is_set(size: int) -> None:
    done = _wake("1000000000", bytes(size))
    assert (done.returncode, done.stderr) == (1, b"agent: stdin: No data available\n")
    assert time.time() > 1_700_000_000
