"""What a session believes of what an earlier one has read."""

import time
from pathlib import Path

from devbox.sync.core.entry import Entry, Kind, Side, Stamp
from devbox.sync.core.ignore import Ignore
from devbox.sync.core.modes import Mode
from devbox.sync.core.names import Guard
from devbox.sync.core.reconcile import Rules
from devbox.sync.memory import Memory
from devbox.sync.rows import packed
from devbox.sync.scene import Scene

READ = Entry(Kind.FILE, digest=bytes(32))
LONG_AGO = 10**18


def _begun(path: Path) -> tuple[Memory, Scene]:
    """Begin another session on the same state."""
    memory = Memory(str(path))
    guard = Guard()
    scene = Scene(memory.rows, Ignore({}), guard, Rules(mode=Mode.TWO_WAY, way=guard.way))
    memory.distrust(scene)
    return memory, scene


def _read(memory: Memory, scene: Scene, name: bytes, changed: int) -> None:
    """Know a file that both sides have, last changed then."""
    node = memory.rows.need(name)
    for side in Side:
        node.put(side, READ, packed(Stamp(0o100644, 1, 1, changed, 5)))
        scene.latest[side] = max(scene.latest[side], changed)
    node.agree(READ)
    memory.rows.touch(node)


def _ended(memory: Memory, scene: Scene) -> None:
    memory.save(scene, {})
    memory.state.close()


def _known(memory: Memory, name: bytes) -> bool:
    node = memory.rows.find(name)
    assert node is not None
    assert node.host is not None
    return node.host.digest != b""


def test_what_was_trusted_stays_so_however_soon_the_next_one_ends(tmp_path: Path) -> None:
    memory, scene = _begun(tmp_path / "state")
    _read(memory, scene, b"old", LONG_AGO)
    memory.settle(scene)
    _ended(memory, scene)
    memory, scene = _begun(tmp_path / "state")
    _read(memory, scene, b"new", LONG_AGO + 1)  # and it ends before that is trusted
    _ended(memory, scene)
    memory, _ = _begun(tmp_path / "state")
    assert _known(memory, b"old")
    assert not _known(memory, b"new")
    memory.state.close()


def test_nothing_is_trusted_that_may_have_changed_after_a_clock_was_put_back(tmp_path: Path) -> None:
    memory, scene = _begun(tmp_path / "state")
    _read(memory, scene, b"ahead", time.time_ns() + 10**12)
    memory.settle(scene)
    _ended(memory, scene)
    memory, scene = _begun(tmp_path / "state")
    now = time.time_ns()
    _read(memory, scene, b"later", now)
    _ended(memory, scene)
    memory, _ = _begun(tmp_path / "state")
    assert not _known(memory, b"later")
    memory.state.close()
