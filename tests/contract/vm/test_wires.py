"""Wires between machines, each a process of its own, with QEMU's side played here."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from devbox.process import HostProcesses
from devbox.reporter import SilentReporter
from devbox.vm import lines, wires

pytestmark = pytest.mark.long

PATIENCE = 10.0
PROCESSES = HostProcesses(SilentReporter())


class Qemu:
    """The side of QEMU of one machine: it listens, and takes whoever comes."""

    def __init__(self, directory: Path, name: str) -> None:
        directory.mkdir(exist_ok=True)
        self.port = directory / "wire.sock"
        self.place = directory.parent / "net" / name
        self._door = socket.socket(socket.AF_UNIX)
        self._door.bind(str(self.port))
        self._door.listen()
        self._door.settimeout(PATIENCE)
        self._wire: socket.socket | None = None

    def plug(self) -> None:
        """Have its wire, which must be a new one if there was one."""
        wires.ensure(self.port, self.place, PROCESSES)
        if self._wire is not None:
            self._wire.close()
        self._wire, _ = self._door.accept()
        self._wire.settimeout(PATIENCE)

    def send(self, frame: bytes) -> None:
        assert self._wire is not None
        self._wire.sendall(len(frame).to_bytes(4, "big") + frame)

    def receive(self) -> bytes:
        size = int.from_bytes(self._read(4), "big")
        return self._read(size)

    def _read(self, size: int) -> bytes:
        assert self._wire is not None
        found = b""
        while len(found) < size:
            found += self._wire.recv(size - len(found))
        return found

    def process(self) -> int:
        """Return the process that holds its wire."""
        return int(Path(f"{self.place}.lock").read_text(encoding="ascii").split()[0])

    def lose(self) -> None:
        """Have the process that holds its wire killed."""
        os.kill(self.process(), signal.SIGKILL)
        until = time.monotonic() + PATIENCE
        while lines.held(Path(f"{self.place}.lock")):
            assert time.monotonic() < until, "it does not end"

    def end(self) -> None:
        """End as QEMU does."""
        if self._wire is not None:
            self._wire.close()
        self._door.close()
        self.port.unlink(missing_ok=True)


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[list[Qemu]]:
    found = [Qemu(tmp_path / name, name) for name in ("one", "two", "three")]
    for one in found:
        one.plug()
    time.sleep(0.6)  # each looks who is there no more often than that
    yield found
    for one in found:
        one.end()
        wires.end(one.place)
    assert not (tmp_path / "net").exists(), "something was left"


def test_what_one_sends_goes_to_all_others_whole_and_in_order(machines: list[Qemu]) -> None:
    first, *others = machines
    sent = [bytes([number]) * (number * 300 + 14) for number in range(5)]
    for frame in sent:
        first.send(frame)
    for one in others:
        assert [one.receive() for _ in sent] == sent
    others[0].send(b"back")
    assert first.receive() == b"back"


def test_nobody_else_of_this_host_can_join(machines: list[Qemu]) -> None:
    net = machines[0].place.parent
    assert net.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in net.iterdir()} == {0o600}


def test_one_that_was_killed_is_started_again_and_the_others_go_on(machines: list[Qemu]) -> None:
    first, second, third = machines
    second.lose()
    first.send(b"without the second")
    assert third.receive() == b"without the second"
    second.plug()
    first.send(b"with it")
    assert (second.receive(), third.receive()) == (b"with it", b"with it")
    before = second.process()
    wires.ensure(second.port, second.place, PROCESSES)
    assert second.process() == before  # it lives, so nothing is done


def test_a_wire_ends_with_its_machine_and_a_new_machine_takes_its_place(machines: list[Qemu]) -> None:
    first, second, _ = machines
    second.end()
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and second.place.exists():
        time.sleep(0.02)
    assert not second.place.exists()
    again = machines[1] = Qemu(second.port.parent, second.place.name)
    again.plug()
    time.sleep(0.6)
    first.send(b"to the new one")
    assert again.receive() == b"to the new one"


def test_what_is_left_of_one_that_has_ended_goes_and_one_that_took_its_place_stays(machines: list[Qemu]) -> None:
    first, second, _ = machines
    wires.tidy(second.place)
    first.send(b"it stays")
    assert second.receive() == b"it stays"
    second.lose()
    wires.tidy(second.place)
    assert not [file for file in second.place.parent.iterdir() if file.name.startswith(second.place.name)]


def test_one_that_takes_nothing_holds_up_no_other(machines: list[Qemu]) -> None:
    first, _, third = machines  # the second one's QEMU reads nothing from here on
    frame = bytes(1500)
    for _ in range(400):
        first.send(frame)
        assert third.receive() == frame
