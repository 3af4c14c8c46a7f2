"""The machine's end of the line, as a host sees it that speaks every frame by hand."""

import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from devbox.vm import line_frames as frames
from tests.contract.vm.conftest import Bed, Server, open_files
from tests.support.line_host import LineHost
from tests.support.waiting import until

pytestmark = [pytest.mark.timeout(120), pytest.mark.long]
_FLOODS = 16  # together more than the port and the sockets on the way take
_MANY = 50


@pytest.fixture
def guest(tmp_path: Path, server: Server) -> Iterator[Bed]:
    with Bed(tmp_path, tmp_path / "server.sock") as made:
        made.start_guest()
        yield made


@pytest.fixture
def host(guest: Bed) -> Iterator[LineHost]:
    with LineHost(guest.port.host) as made:
        yield made


def test_an_agent_without_memory_for_what_waits_ends_the_frame_that_it_was_in(guest: Bed, host: LineHost) -> None:
    before = open_files(guest.guest_pid())
    for number in range(1, _FLOODS + 1):
        host.say(number, frames.OPEN)
        host.say(number, frames.DATA, b"ping")
        assert host.hear() == (number, frames.DATA, b"ping")
    _, most = limits = resource.prlimit(guest.guest_pid(), resource.RLIMIT_AS)
    resource.prlimit(guest.guest_pid(), resource.RLIMIT_AS, (4096, most))
    for number in range(1, _FLOODS + 1):
        host.say(number, frames.DATA, b"flood")
    until(lambda: open_files(guest.guest_pid()) <= before, within=20)
    resource.prlimit(guest.guest_pid(), resource.RLIMIT_AS, limits)
    with pytest.raises(frames.Violation):
        list(iter(host.hear, None))


def test_the_machine_has_a_descriptor_for_each_connection_and_none_for_one_that_is_over(
    guest: Bed, host: LineHost, server: Server
) -> None:
    before = open_files(guest.guest_pid())
    for number in range(1, _MANY + 1):
        host.say(number, frames.OPEN)
        host.say(number, frames.DATA, b"hold")
        assert host.hear() == (number, frames.DATA, b"held")
    assert open_files(guest.guest_pid()) == before + _MANY
    for number in range(1, _MANY + 1):
        host.say(number, frames.CLOSE if number % 2 else frames.END)
    until(lambda: open_files(guest.guest_pid()) == before + _MANY // 2, within=20)
    server.released.set()
    until(lambda: open_files(guest.guest_pid()) == before, within=20)


def test_what_an_agent_said_before_it_went_is_heard(guest: Bed, host: LineHost, server: Server) -> None:
    host.say(1, frames.OPEN)
    host.say(1, frames.DATA, b"refuse")
    assert host.hear() == (1, frames.DATA, b"held")
    os.kill(guest.guest_pid(), signal.SIGSTOP)  # so that it sees what is said to the agent first, and that it went
    guest.port.say_to_machine(frames.frame(1, frames.DATA, b"more"))
    until(guest.port.has_passed_on)
    server.released.set()
    assert server.has_left.wait(20)
    os.kill(guest.guest_pid(), signal.SIGCONT)
    assert [host.hear() for _ in range(3)] == [(1, frames.DATA, b"no"), (1, frames.END, b""), (1, frames.CLOSE, b"")]
