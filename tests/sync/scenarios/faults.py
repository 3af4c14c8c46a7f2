"""9 to 16 and 31: something dies, is cut off, is full, is forbidden, or changes meanwhile."""

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.waiting import until
from tests.sync.stage import Can, Stage, scenario

_MIB = 1 << 20
_TREE = "for d in a b c; do mkdir -p $d; for i in 1 2 3 4 5 6 7 8; do echo $d$i >$d/$i; done; done"


def _bytes(size: int, seed: int = 0) -> bytes:
    """Return bytes that do not repeat within a block."""
    piece = b"".join((seed + number).to_bytes(8, "little") for number in range(min(size, _MIB) // 8))
    return b"".join(number.to_bytes(8, "little") + piece[8:] for number in range(max(size // _MIB, 1)))[:size]


def _no_temporaries(stage: Stage) -> None:
    for side, run in (("host", stage.host), ("guest", stage.guest)):
        found = run("find . -name '.devbox-tmp-*'").split()
        stage.expect(not found, f"{side}: {found[0] if found else ''} was left")


@scenario(
    9,
    "the guest's end is killed, at each of many steps of a transfer",
    "old or new files and nothing else; it goes on by itself; no temporary file is left",
    needs={Can.CUT},
)
def guest_killed(stage: Stage) -> None:
    stage.given(_TREE)
    for at in (1, 2, 3, 5, 8, 13, 21, 34, 55):
        stage.pair.cut_at(at)
        stage.host(
            f"for d in a b c n{at}; do mkdir -p $d; for i in 1 2 3 4 5 6 7 8; do echo $d$i-{at} >$d/$i; done; done"
        )
        (stage.pair.host.path / "big").write_bytes(_bytes(_MIB, at))
        stage.guest(f"echo guest-{at} >from-guest; rm -f gone; echo {at} >made-{at}")
        stage.settle()
        stage.expect(stage.pair.was_cut, f"no request number {at} was made")
        stage.both({"a/1": f"a1-{at}", f"n{at}/8": f"n{at}8-{at}", "from-guest": f"guest-{at}", f"made-{at}": str(at)})
        stage.same()
        stage.conflict()
    _no_temporaries(stage)


@scenario(
    10,
    "the host's side is killed at each step that changes something",
    "the next start goes on; no conflict of its own making, no deletion twice",
    needs={Can.STOP},
)
def host_killed(stage: Stage) -> None:
    stage.given(_TREE)
    stage.pair.end()
    at, before, died = 1, 0, True
    while died and not stage.wrong:
        stage.host(
            f"echo host-{at} >a/1; echo new-{at} >a/new-{at}; rm -f a/new-{before}; mkdir -p h{at}; echo 1 >h{at}/x"
        )
        stage.guest(
            f"echo guest-{at} >b/1; echo new-{at} >b/new-{at}; rm -f b/new-{before}; mkdir -p g{at}; echo 1 >g{at}/x"
        )
        died = stage.pair.run_and_die(at)
        stage.pair.begin()
        stage.settle()
        stage.both({"a/1": f"host-{at}", "b/1": f"guest-{at}", f"a/new-{at}": f"new-{at}", f"b/new-{at}": f"new-{at}"})
        stage.both({f"h{at}/x": "1", f"g{at}/x": "1", f"a/new-{before}": None, f"b/new-{before}": None})
        stage.same()
        stage.conflict()
        stage.pair.end()
        at, before = (
            at + max(before, 1),
            at,
        )  # 1, 2, 3, 5, 8 ...: tests/contract/sync/test_kill_points.py takes each of them
    stage.expect(at > 5, f"there were only {at} steps to die at")
    stage.pair.begin()
    stage.settle()
    _no_temporaries(stage)


@contextmanager
def _writing(directory: Path, script: str) -> Iterator[None]:
    process = subprocess.Popen(["sh", "-c", script], cwd=directory)
    try:
        yield
    finally:
        process.kill()
        process.wait()


@scenario(11, "a file on the host changes all the time", "all else goes on; it is whole once it rests")
def always_changing(stage: Stage) -> None:
    stage.given("echo older >a; echo 1 >log; echo 3 >c; echo 4 >d")
    with _writing(stage.pair.host.path, "while :; do echo line >>log; done"):
        stage.host("echo newest >a; echo 2 >b")
        stage.settle()
        stage.on("guest", {"a": "newest", "b": "2"})
    stage.settle()
    stage.same()
    stage.conflict()


@scenario(11, "a big file is rewritten while it is sent", "never a mix of two versions")
def rewritten_while_sent(stage: Stage) -> None:
    stage.given("echo 1 >a; echo 2 >b")
    big = stage.pair.host.path / "big"
    big.write_bytes(b"a" * 8 * _MIB)
    thread = threading.Thread(target=_rewrite, args=(big,))
    thread.start()
    for _ in range(3):
        stage.settle()
        found = stage.pair.guest.look().get("big")
        stage.expect(found is None or len(set(found.data)) == 1, "guest: a mix of two versions")
    thread.join()
    stage.settle()
    stage.same()


def _rewrite(path: Path) -> None:
    for letter in b"bcdefg":
        draft = path.with_name(".draft")
        draft.write_bytes(bytes([letter]) * 8 * _MIB)
        draft.rename(path)
        time.sleep(0.05)


@scenario(
    12,
    "the guest edits a file in the moment before the host's edit of it is put there",
    "neither edit is lost",
    needs={Can.TAP},
)
def edited_in_the_last_moment(stage: Stage) -> None:
    stage.given("echo older >a; echo older >b; echo older >c")
    stage.pair.before_write(lambda: stage.guest("echo of the guest >a; rm -f b; echo of the guest >d"))
    stage.play(host="echo of the host >a; echo edited >b; rm c; echo of the host >d")
    stage.kept("of the host", "of the guest", "edited")
    stage.both({"b": "edited", "c": None})


def _big(stage: Stage, size: int) -> None:
    stage.given("echo older >small; echo 1 >a; echo 2 >b")
    big = stage.pair.host.path / "big"
    big.write_bytes(_bytes(size))
    worst, slow = 0.0, threading.Thread(target=stage.settle)
    before = _memory()
    slow.start()
    number, most = 0, before
    while slow.is_alive():
        number += 1
        stage.host(f"echo {number} >small")
        begin = time.monotonic()
        until(lambda: stage.guest("cat small").strip() == str(number), within=30)  # noqa: B023 (it is called at once)
        worst = max(worst, time.monotonic() - begin)
        most = max(most, _memory())
    stage.expect(number, "nothing was edited while the big file was sent")
    stage.expect(worst < 2, f"an edit waited {worst:.1f} s behind a big file")
    stage.expect(most - before < 64 * _MIB, f"{(most - before) // _MIB} MiB of memory for it")
    _again(stage, big, size)


def _again(stage: Stage, big: Path, size: int) -> None:
    """Change a little of it, and cut the line in the middle of another one."""
    stage.settle()
    stage.expect(_sum(stage), "guest: the big file is another")
    stage.pair.tap.clear()
    with big.open("r+b") as file:
        file.seek(size // 2)
        file.write(b"another")
        file.seek(0, os.SEEK_END)
        file.write(b"more")
    stage.settle()
    stage.expect(_sum(stage), "guest: the big file is another after a change")
    sent = stage.pair.tap.bytes
    stage.expect(sent < size // 4, f"{sent // 1024} KiB were sent for a change of 11 bytes")


def _sum(stage: Stage) -> bool:
    return stage.host("sha256sum big") == stage.guest("sha256sum big")


def _memory() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@scenario(
    13,
    "a file of 96 MiB (nightly: 1 GiB), with edits of others meanwhile",
    "the edits do not wait for it, memory is bounded, a small change of it is sent as one",
    needs={Can.TAP},
)
def big_file(stage: Stage) -> None:
    _big(stage, 96 * _MIB)


@scenario(13, "a file of 1 GiB", "the same", needs={Can.TAP}, nightly=True)
def very_big_file(stage: Stage) -> None:
    _big(stage, 1024 * _MIB)


@scenario(13, "the line is cut while a big file is sent", "what came is taken up again", needs={Can.TAP, Can.CUT})
def big_file_resumed(stage: Stage) -> None:
    stage.given("echo 1 >a; echo 2 >b; echo 3 >c")
    stage.pair.tap.clear()
    (stage.pair.host.path / "big").write_bytes(_bytes(24 * _MIB))
    stage.pair.cut_at(80)
    stage.settle()
    stage.expect(stage.pair.was_cut, "the line was not cut")
    stage.expect(_sum(stage), "guest: the big file is another")
    sent = stage.pair.tap.bytes
    stage.expect(sent < 32 * _MIB, f"{sent // _MIB} MiB were sent for 24")
    _no_temporaries(stage)


def _files(path: Path, count: int) -> None:
    for number in range(count):
        directory = path / f"d{number // 50}"
        if number % 50 == 0:
            directory.mkdir()
        (directory / f"f{number}").write_text(f"content {number}\n")


def _many(stage: Stage, count: int) -> None:
    _files(stage.pair.host.path, count)
    stage.settle()
    stage.expect(
        stage.guest("find . -name 'f*' -type f | wc -l").strip() == str(count), "guest: not all files are there"
    )
    stage.same()
    stage.pair.end()
    stage.pair.tap.clear()
    stage.pair.begin()
    stage.settle()
    stage.expect(stage.pair.tap.writes == 0, "something was written after a start without a change")
    stage.expect(stage.pair.tap.bytes == 0, "something was read after a start without a change")
    stage.play(host="echo edited >d1/f60", guest="echo edited >d2/f110")
    stage.both({"d1/f60": "edited", "d2/f110": "edited"})


@scenario(14, "10,000 files, and a start without a change", "all is there; the start moves nothing", needs={Can.TAP})
def many_files(stage: Stage) -> None:
    _many(stage, 10_000)


@scenario(14, "100,000 files, and a start without a change", "the same", needs={Can.TAP}, nightly=True)
def very_many_files(stage: Stage) -> None:
    _many(stage, 100_000)


@scenario(
    15,
    "the guest's disk is full",
    "the old file is whole, the path is told with the bytes needed; it is tried again when there is room",
    needs={Can.SMALL},
)
def guest_full(stage: Stage) -> None:
    _full(stage, stage.guest, stage.pair.host.path, "guest")


@scenario(15, "the host's disk is full", "the same", needs={Can.SMALL, Can.LOCAL})
def host_full(stage: Stage) -> None:
    _full(stage, stage.host, stage.pair.guest.path, "host")


def _full(stage: Stage, fill: object, other: Path, side: str) -> None:
    stage.given("echo older >a; echo 1 >b; echo 2 >c; mkdir full; echo kept >full/.devboxignore")
    fill(
        "i=0; while dd if=/dev/zero of=.devbox/fill$i bs=64k count=16 2>/dev/null; do i=$((i + 1)); done;"
        " rm .devbox/fill0"
    )
    (other / "a").write_bytes(_bytes(3 * _MIB))
    (other / "b").write_text("small enough\n")
    stage.settle()
    until(lambda: (stage.guest if side == "guest" else stage.host)("cat b") == "small enough\n", within=30)
    stage.on(side, {"a": "older"})
    told = [problem for problem in stage.pair.problems() if "room" in problem and "a" in problem]
    stage.expect(told, "the want of room is not told")
    fill("rm .devbox/fill*")
    stage.settle()
    until(lambda: stage.guest("wc -c <a").strip() == stage.host("wc -c <a").strip(), within=60)
    stage.same()
    stage.expect(not stage.pair.problems(), "the want of room is told when it is over")
    _no_temporaries(stage)


@scenario(
    16,
    "a directory of the guest may not be written by its user",
    "the path is told, all else goes on; it is done when it may be",
    needs={Can.USERS},
)
def forbidden_in_the_guest(stage: Stage) -> None:
    stage.given("mkdir ours; echo 1 >ours/a; echo 2 >b; echo 3 >c; echo 4 >d")
    stage.pair.as_root("chown 0:0 ours; chmod 755 ours; chmod 644 ours/a")
    stage.play(host="echo edited >ours/a; echo new >ours/new; echo edited >b", guest="echo new >n")
    stage.both({"b": "edited", "n": "new"})
    stage.on("guest", {"ours/a": "1", "ours/new": None})
    stage.on("host", {"ours/a": "edited"})
    stage.expect(any("ours" in one for one in stage.pair.problems()), "it is not told")
    stage.pair.tap.clear()
    time.sleep(1)
    stage.expect(stage.pair.tap.requests < 50, "it is tried all the time")
    stage.pair.as_root("chown -R 1000:1000 .")
    until(lambda: stage.pair.guest.look().get("ours/new"), within=60)
    stage.settle()
    stage.same()


@scenario(31, "the guest is frozen and goes on", "so does the sync", needs={Can.PAUSE})
def guest_frozen(stage: Stage) -> None:
    stage.given(_TREE)
    stage.pair.freeze()
    try:
        stage.host("echo while frozen >a/1")
        time.sleep(2)
    finally:
        stage.pair.thaw()
    stage.settle()
    stage.both({"a/1": "while frozen"})
    stage.conflict()


@scenario(31, "the guest is stopped and started", "the sync goes on with the same tree", needs={Can.PAUSE})
def guest_restarted(stage: Stage) -> None:
    stage.given(_TREE)
    stage.guest("echo before >b/1")
    stage.pair.restart()
    stage.host("echo after >a/1; rm c/1")
    stage.settle()
    stage.both({"a/1": "after", "b/1": "before", "c/1": None})
    stage.same()
    stage.conflict()


@scenario(31, "the line is cut again and again", "the sync goes on by itself", needs={Can.CUT})
def line_cut(stage: Stage) -> None:
    stage.given(_TREE)
    for number in range(5):
        stage.pair.cut_at(number + 1)
        stage.play(
            host=f"echo {number} >a/1; echo {number} >a/n{number}", guest=f"echo {number} >b/1; rm b/{number + 2}"
        )
        stage.both({"a/1": str(number), "b/1": str(number), f"a/n{number}": str(number), f"b/{number + 2}": None})
    stage.same()
    stage.conflict()


@scenario(
    31, "nothing gets through for a while", "the sync goes on when it does, and tells meanwhile", needs={Can.LINE}
)
def nothing_gets_through(stage: Stage) -> None:
    stage.given(_TREE)
    stage.pair.line.cut()
    try:
        stage.at_once(host="echo host >a/1; echo new >a/new", guest="echo guest >b/1; rm b/2")
        time.sleep(3)
    finally:
        stage.pair.line.mend()
    stage.settle()
    stage.both({"a/1": "host", "a/new": "new", "b/1": "guest", "b/2": None})
    stage.same()
    stage.conflict()


@scenario(31, "the connection is ended in the middle of a transfer", "the sync goes on by itself", needs={Can.LINE})
def connection_ended(stage: Stage) -> None:
    stage.given(_TREE)
    (stage.pair.host.path / "big").write_bytes(_bytes(4 * _MIB))
    stage.host("for i in 1 2 3 4 5 6 7 8; do echo new$i >a/$i; done")
    time.sleep(0.2)
    stage.pair.line.refuse()
    time.sleep(1)
    stage.pair.line.take_again()
    stage.settle()
    stage.both({"a/8": "new8"})
    stage.same()
    stage.conflict()
    _no_temporaries(stage)
