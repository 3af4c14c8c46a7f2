"""`agent settle`: what is no fact changes nothing. What facts do is shown in a machine: they set its clock, for one."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from devbox.agent import program
from devbox.runtimes.vm import inner
from devbox.runtimes.vm.inner import Fact

SEED = bytes(64)
MACS = "52:54:00:00:00:01 52:54:00:00:00:02"


def _settle(given: bytes) -> subprocess.CompletedProcess[bytes]:
    """As root of no machine: nothing that could be carried out is ever given before what is to be refused."""
    words = [str(program.binary(os.uname().machine)), "settle"]
    return subprocess.run(words, input=given, capture_output=True)


def _refused(*facts: Fact) -> None:
    done = _settle(inner.told([*facts]))
    assert (done.returncode, done.stderr) == (1, b"agent: stdin: Invalid argument\n")


@pytest.mark.parametrize("text", ["", "-1", "x", "1x", " 1", "99999999999999999999999", "1\0"])
def test_what_is_no_time_is_refused(text: str) -> None:
    _refused(("time", text.encode()))


@pytest.mark.parametrize("size", [0, 1, 63, 65])
def test_with_a_seed_of_another_size_not_even_the_clock_is_set(size: int) -> None:
    _refused(("time", b"1000000000"), ("seed", bytes(size)))
    assert time.time() > 1_700_000_000


@pytest.mark.parametrize(
    "fact",
    [
        ("mac", b""),
        ("mac", MACS.replace(" ", "-").encode()),
        ("mac", MACS.replace("2", "x").encode()),
        ("mac", (MACS + "0").encode()),
        ("mac", MACS[:-1].encode()),
        ("wire", MACS.encode()),
        ("wire", f"{MACS} ".encode()),
        ("wire", f"{MACS} 198.19.1.2/16".encode()),
        ("wire", f"{MACS} 198.19.1.2\0".encode()),
        ("wire", f"{MACS}-198.19.1.2".encode()),
        ("hostname", b""),
        ("hostname", b"a\0b"),
        ("identity", b""),
        ("data", b""),
        ("grow", b"/\0"),
        ("volume", b"name"),
        ("volume", b"name\0/place"),
        ("volume", b"name\0/place\0somehow"),
        ("volume", b"name\0/place\0bare\0more"),
        ("volume", b"name\0place\0bare"),
        ("volume", b"a/name\0/place\0bare"),
        ("volume", b".new\0/place\0bare"),
        ("volume", b"\0/place\0bare"),
        ("left", b""),
        ("left", b"/place\0more"),
        ("renamed", b"before"),
        ("renamed", b"before\0"),
        ("renamed", b"\0now"),
        ("renamed", b"before\0.new"),
        ("renamed", b"a/name\0now"),
        ("renamed", b"before\0../now"),
        ("renamed", b"before\0now\0more"),
        ("file", b"/only a path"),
        ("file", b"a/path\0content"),
        ("machine-id", b"ab" * 15),
        ("machine-id", b"AB" * 16),
        ("machine-id", b"ab" * 16 + b"\n"),
        ("else", b"what"),
        ("", b""),
    ],
)
def test_what_is_no_fact_of_its_kind_is_refused(fact: Fact) -> None:
    _refused(fact)


@pytest.mark.parametrize(
    "given", [b"time", b"time\0", b"time\0x\x001\0", b"time\0002\x001\0", b"time\0001\0001", b"\0", b"time\0-1\x001\0"]
)
def test_what_is_cut_short_is_refused(given: bytes) -> None:
    done = _settle(given)
    assert (done.returncode, done.stderr) == (1, b"agent: stdin: Invalid argument\n")


def test_of_a_bad_fact_behind_a_good_one_neither_is_carried_out(tmp_path: Path) -> None:
    target = tmp_path / "a dir" / "file"
    _refused(inner.file(str(target), b"content"), ("else", b""))
    assert not target.parent.exists()


def test_a_file_is_taken_whole_and_any_bytes_with_it(tmp_path: Path) -> None:
    target = tmp_path / "a dir" / "file"
    for content in (b"one", b"two\0\n", b"", os.urandom(300_000)):
        done = _settle(inner.told([inner.file(str(target), content)]))
        assert (done.returncode, done.stderr, target.read_bytes()) == (0, b"", content)
    assert [path.name for path in target.parent.iterdir()] == ["file"]
    assert target.stat().st_mode & 0o777 == 0o644


def test_whoever_is_not_started_by_an_agent_tells_nobody_who_he_is(tmp_path: Path) -> None:
    """The signal would be the end of any other process. The word itself has no place outside of a machine."""
    done = _settle(inner.told([("identity", b"ab" * 32)]))
    assert done.returncode == 1
    assert done.stderr.startswith(b"agent: identity: ")
