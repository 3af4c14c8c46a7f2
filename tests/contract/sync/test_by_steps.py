"""Where a name cannot be changed in one step: what ends between two of them is as it was before."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from devbox.agent.client import dial
from devbox.sync.endpoint import Code, Rename, Stat
from devbox.sync.guest import open_guest
from tests.support.agent import HostAgent, host_agent
from tests.support.filtered import filtered
from tests.support.sync_guest import USER, agent_program, ask, guest_of, stamp

NOBODY = "65534:65534" if os.geteuid() == 0 else USER  # whom a mode can keep from writing


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        path = Path(directory)
        path.chmod(0o755)
        yield path


def test_what_cannot_leave_its_directory_gets_no_second_name(filtered_agent: HostAgent, open_to_all: Path) -> None:
    shut, free = open_to_all / "shut", open_to_all / "free"
    for directory in (shut, free):
        directory.mkdir()
    (shut / "file").write_bytes(b"x")
    if os.geteuid() == 0:
        for path in (shut / "file", free):
            os.chown(path, 65534, 65534)
    shut.chmod(0o555)
    guest = open_guest(dial(filtered_agent.path), filtered_agent.identity, user=NOBODY, root=str(open_to_all))
    there = stamp(guest, b"shut/file")
    assert there
    assert ask(guest, Rename(b"shut/file", there, b"free/file")).code is Code.FAILED
    guest.close()
    shut.chmod(0o755)
    assert [*free.iterdir()] == []
    assert (shut / "file").stat().st_nlink == 1


def test_a_kernel_that_says_try_again_each_time_is_not_asked_for_ever(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with host_agent(argv=filtered(agent_program(), "EAGAIN")) as agent:
        guest = guest_of(agent, tmp_path)
        assert ask(guest, Stat(b"a")).code is Code.DONE
        guest.close()
