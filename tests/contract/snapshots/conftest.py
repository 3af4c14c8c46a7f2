"""Snapshots of a fake Instance, and of a machine whose QEMU boots nothing: one contract."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import pytest

from devbox.runtimes.base import InstanceState
from devbox.runtimes.snapshots import Return, Snapshots
from tests.fakes import qemu_program
from tests.fakes.runtime import FakeInstance, FakeRuntime
from tests.fakes.snapshots import FakeSnapshots
from tests.support.snapshot_desk import Desk
from tests.unit.runtimes.test_vm import SPEC


class Bench(Protocol):
    """An Instance that can be written to, and its snapshots."""

    @property
    def snapshots(self) -> Snapshots: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def damage(self, name: str) -> None: ...

    @property
    def content(self) -> str: ...

    @content.setter
    def content(self, text: str) -> None: ...

    @property
    def goes_on(self) -> bool: ...


@dataclass
class FakeBench:
    instance: FakeInstance

    @property
    def snapshots(self) -> FakeSnapshots:
        assert self.instance.snapshots is not None
        return self.instance.snapshots

    def start(self) -> None:
        self.instance.start()

    def stop(self) -> None:
        self.instance.stop()

    def damage(self, name: str) -> None:
        self.snapshots.damaged.add(name)

    @property
    def content(self) -> str:
        return self.snapshots.content

    @content.setter
    def content(self, text: str) -> None:
        self.snapshots.content = text

    @property
    def goes_on(self) -> bool:
        return bool(self.instance.saved)


@pytest.fixture
def fake() -> FakeBench:
    instance = FakeRuntime().create(replace(SPEC, shares=()))
    instance.saved = False
    instance.snapshots = FakeSnapshots(instance)
    assert instance.state is InstanceState.CREATED
    return FakeBench(instance)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    qemu_program.install(tmp_path / "bin" / Desk.program())
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    monkeypatch.setenv("FAKE_QEMU", json.dumps({}))
    desk = Desk()
    yield desk
    desk.machine.kill()


@pytest.fixture(params=["fake", "machine"])
def bench(request: pytest.FixtureRequest) -> Bench:
    found: Bench = request.getfixturevalue(request.param)
    return found


def back(name: str, attached: Path, *, running: bool = True, before: Callable[[], None] = lambda: None) -> Return:
    return Return(name=name, attached=attached, before=before, running=running)
