"""The session's process is killed at each of its steps, on two trees that have everything to do, and begins again."""

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.agent import IDENTITY, host_agent
from tests.support.sync_bed import Bed, put, trash, tree
from tests.support.sync_guest import agent_program

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[3]
PARTS = int(os.environ.get("DEVBOX_KILL_PARTS", "2"))
STEP = int(os.environ.get("DEVBOX_KILL_STEP", "40"))
# How often it looks, asks and saves before it is at rest is a matter of time: the first of each comes in each run.
OFTEN = ("sync looked", "sync planned", "sync ask", "sync answered", "sync state", "before it is on", "after it is on")
Point = tuple[int, str]  # the nth of its name
BIG = bytes(range(256)) * 2400  # takes several chunks


@pytest.fixture(params=["host", "agent"])
def socket(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "host":
        yield ""
        return
    with host_agent(identity=IDENTITY, argv=[agent_program()]) as agent:
        yield str(agent.path)


def run(base: Path, socket: str, fault: str = "") -> int:
    env = dict(os.environ, XDG_STATE_HOME=str(base / "state"), PYTHONPATH=str(ROOT))
    env.pop("DEVBOX_FAULT", None)
    if fault:
        env["DEVBOX_FAULT"] = fault
    argv = [sys.executable, "-m", "tests.support.sync_process", str(base), *([socket] if socket else [])]
    return subprocess.run(argv, env=env, cwd=ROOT, timeout=120).returncode


def begin(base: Path, socket: str) -> tuple[Bed, set[bytes]]:
    """Two trees on which each kind of change is to be brought over; and all contents that must survive."""
    bed = Bed(base)
    names = ("edited", "deleted", "removed/a", "moved/x", "moved/y", "kind", "guest", "both", "gone", "mode")
    put(bed.host, {name: f"old {name}" for name in names})
    (bed.host / "big").write_bytes(BIG)
    assert run(base, socket) == 0
    put(bed.host, {"edited": "new edited", "new/deep/a": "new a", "both": "of the host"})
    (bed.host / "deleted").unlink()
    shutil.rmtree(bed.host / "removed")
    (bed.host / "moved").rename(bed.host / "elsewhere")
    (bed.host / "kind").unlink()
    put(bed.host, {"kind/inside": "a directory now"})
    (bed.host / "mode").chmod(0o755)
    (bed.host / "big").write_bytes(BIG + b"more")
    put(bed.guest, {"guest": "new guest", "both": "of the guest", "fresh": "of the guest alone"})
    (bed.guest / "gone").unlink()
    (bed.guest / "link").symlink_to("edited")
    live = {"new edited", "new a", "of the host", "a directory now", "new guest", "of the guest", "of the guest alone"}
    return bed, {text.encode() for text in live} | {BIG + b"more"} | {b"old moved/x", b"old moved/y", b"old mode"}


def check(bed: Bed, live: set[bytes]) -> None:
    host, guest = tree(bed.host), tree(bed.guest)
    assert host.pop("both") == b"of the host"
    assert guest.pop("both") == b"of the guest"
    assert host == guest
    everything = {*host.values(), *trash(bed.host), *trash(bed.guest), b"of the host", b"of the guest"}
    assert live <= everything
    assert set(host) == {
        *("edited", "new", "new/deep", "new/deep/a", "elsewhere", "elsewhere/x", "elsewhere/y", "kind", "kind/inside"),
        *("mode", "big", "guest", "fresh", "link"),
    }
    assert not [path for root in (bed.host, bed.guest) for path in root.rglob(".devbox-tmp-*")]


def whole(bed: Bed, live: set[bytes]) -> None:
    """I2: at this moment each file has its old or its new content."""
    for root in (bed.host, bed.guest):
        for path, what in tree(root).items():
            if isinstance(what, bytes) and not Path(path).name.startswith(".devbox-tmp-"):
                assert what in live or what == BIG or what.startswith(b"old "), path


def counted(base: Path, socket: str) -> list[str]:
    bed, live = begin(base / "count", socket)
    points = base / "points"
    assert run(bed.base, socket, f"count:{points}") == 0
    check(bed, live)
    return points.read_text(encoding="utf-8").splitlines()


def chosen(points: list[str], step: int) -> list[Point]:
    """The first point of each name, and each `step`th of all."""
    seen: Counter[str] = Counter()
    found: list[Point] = []
    for number, line in enumerate(points):
        name = line.split(" ", 1)[1]
        seen[name] += 1
        if seen[name] == 1 or number % step == 0:
            found.append((seen[name], name))
    return found


def killed(base: Path, socket: str, point: Point) -> bool:
    """Kill it there and begin again: all must be right, as it must if it ended before it came there: False."""
    bed, live = begin(base, socket)
    code = run(base, socket, "kill:{}:{}".format(*point))
    assert code in (-9, 0), point
    whole(bed, live)
    if code:
        assert run(base, socket) == 0, point
    check(bed, live)
    shutil.rmtree(base)
    return code == -9


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("step", [STEP, pytest.param(1, marks=pytest.mark.nightly)])
def test_nothing_is_lost_wherever_it_is_killed(tmp_path: Path, socket: str, part: int, step: int) -> None:
    points = counted(tmp_path, socket)
    assert len(points) > 100
    tried = chosen(points, step)[part::PARTS]
    early = [point for number, point in enumerate(tried) if not killed(tmp_path / str(number), socket, point)]
    assert [point for point in early if point[0] == 1 or not point[1].startswith(OFTEN)] == []
