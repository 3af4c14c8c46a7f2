"""What a machine says: how much of it is kept, and what is read from it."""

import os
import threading
from pathlib import Path

import pytest

from devbox.vm import ring
from devbox.vm.console import Console, Heard


def say(path: Path, *pieces: bytes, limit: int = ring.LIMIT) -> None:
    """Have a ring keep `pieces` at `path`, each read by itself."""
    reading, writing = os.pipe()
    keeper = threading.Thread(target=ring.keep, args=(reading, str(path), limit))
    keeper.start()
    for piece in pieces:
        os.write(writing, piece)
    os.close(writing)
    keeper.join(timeout=30)
    os.close(reading)


@pytest.fixture
def console(tmp_path: Path) -> Console:
    return Console(tmp_path)


def test_what_is_said_is_kept_for_nobody_else_and_its_end_is_marked(tmp_path: Path, console: Console) -> None:
    say(tmp_path / "console", b"one\n", b"two\n")
    assert console.text() == "one\ntwo\n"
    assert (tmp_path / "console.end").exists()
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_however_much_is_said_two_files_of_the_limit_hold_the_last_of_it(tmp_path: Path, console: Console) -> None:
    lines = [b"%07d\n" % number for number in range(4000)]
    say(tmp_path / "console", *lines, limit=1024)
    assert {path.name for path in tmp_path.iterdir()} == {"console", "console.1", "console.end"}
    assert all(path.stat().st_size <= 1024 for path in tmp_path.iterdir())
    kept = console.text()
    assert len(kept) > 1024
    assert b"".join(lines).decode().endswith(kept)


def test_a_full_disk_loses_text_and_nothing_waits(tmp_path: Path) -> None:
    (tmp_path / "console").mkdir()  # as good as a disk that takes nothing
    say(tmp_path / "console", b"x" * 1000, b"y" * 1000)


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "console").symlink_to(tmp_path / "mine")
    say(tmp_path / "console", b"theirs")
    assert (tmp_path / "mine").read_text() == "mine"


def test_the_tail_has_no_escape_no_colour_and_no_empty_line(tmp_path: Path, console: Console) -> None:
    (tmp_path / "console").write_bytes(b"a\r\n\r\n\x1b[0;1;31mred\x1b[0m\x1b]0;title\x07\r\n\x1b\x00z\xff\tq\n")
    assert console.tail() == "a\nred\n\\x1b\\x00z\ufffd    q"
    assert console.tail(1) == "\\x1b\\x00z\ufffd    q"


def test_of_nothing_said_the_tail_is_empty(console: Console) -> None:
    assert console.tail() == ""
    assert console.failure() is None


@pytest.mark.parametrize(
    ("said", "failure"),
    [
        (
            "[ 1.2] Kernel panic - not syncing: no root\r\n[ 1.3] more",
            "Kernel panic - not syncing: no root",
        ),
        ("devbox: boot: mount /dev/vda: No such device\n", "devbox: boot: mount /dev/vda: No such device"),
        ("[    0.0] Kernel command line: panic=-1\n", None),
    ],
)
def test_a_panic_and_an_agent_that_gives_up_are_recognised(
    tmp_path: Path, console: Console, said: str, failure: str | None
) -> None:
    (tmp_path / "console").write_text("[    0.0] Linux version\n")
    assert console.failure() is None
    with (tmp_path / "console").open("a") as file:
        file.write(said)
    assert console.failure() == failure


def test_half_a_line_says_nothing_yet_unless_nothing_more_will_be_said(tmp_path: Path, console: Console) -> None:
    place = tmp_path / "console"
    place.write_text("devbox: boot: /sbin", encoding="utf-8")
    assert console.failure() is None
    place.write_text("devbox: boot: /sbin/init: No such file\n", encoding="utf-8")
    assert console.failure() == "devbox: boot: /sbin/init: No such file"
    other = Console(tmp_path)
    place.write_text("Booting from Hard Disk...\nNo bootable device.", encoding="utf-8")
    assert other.failure() == "No bootable device."
    ended = Console(tmp_path)
    place.write_text("Kernel panic - not syncing: no ro", encoding="utf-8")
    (tmp_path / "console.end").touch()
    assert ended.failure() == "Kernel panic - not syncing: no ro"


def test_a_panic_across_both_files_is_recognised(tmp_path: Path, console: Console) -> None:
    (tmp_path / "console.1").write_text("Kernel pa")
    (tmp_path / "console").write_text("nic - not syncing: x\n")
    assert console.failure() == "Kernel panic - not syncing: x"


def test_what_the_machine_before_said_is_forgotten(tmp_path: Path, console: Console) -> None:
    (tmp_path / "console").write_text("Kernel panic - not syncing: x\n")
    (tmp_path / "console.end").touch()
    assert console.failure()
    console.clear()
    assert console.failure() is None
    assert list(tmp_path.iterdir()) == []


def test_what_is_shown_of_a_panic_is_what_led_to_it_and_not_its_trace(tmp_path: Path, console: Console) -> None:
    before = [f"line {number}" for number in range(50)]
    say(tmp_path / "console", "\n".join([*before, "[1.0] Kernel panic - why", *(["trace"] * 60)]).encode())
    shown = console.around("Kernel panic - why").splitlines()
    assert shown[-6:] == ["[1.0] Kernel panic - why", *(["trace"] * 5)]
    assert shown[0] == "line 36"
    assert console.around("nothing of the kind").splitlines() == ["trace"] * 20


def test_what_is_said_is_followed_when_it_turns_over(tmp_path: Path) -> None:
    console = tmp_path / "console"
    console.write_bytes(b"long before|just before|")
    heard = Heard(console, before=12)
    assert heard.more() == b"just before|"
    with console.open("ab") as file:
        file.write(b"last of the old|")
    console.rename(tmp_path / "console.1")
    assert heard.more() == b"last of the old|"
    console.write_bytes(b"first of the new")
    assert heard.more() == b"first of the new"
    assert heard.more() == b""


def test_lines_come_as_they_are_said_each_whole_until_it_has_ended(tmp_path: Path, console: Console) -> None:
    (tmp_path / "console.1").write_bytes(b"first\nsec")
    (tmp_path / "console").write_bytes(b"ond\nthird\n\xc3")
    lines = console.lines(2, lambda: True)
    assert [next(lines), next(lines)] == ["second", "third"]
    with (tmp_path / "console").open("ab") as file:
        file.write(b"\xa4\r\nno end")
    assert next(lines) == "\u00e4"
    (tmp_path / "console.end").touch()
    assert list(lines) == ["no end"]


@pytest.mark.parametrize(("tail", "expected"), [(0, []), (1, ["b"]), (5, ["a", "b"]), (None, ["a", "b"])])
def test_of_one_that_does_not_run_nothing_more_is_waited_for(
    tmp_path: Path, console: Console, tail: int | None, expected: list[str]
) -> None:
    (tmp_path / "console").write_bytes(b"a\nb")
    assert list(console.lines(tail, lambda: False)) == expected


def test_a_line_without_an_end_is_not_gathered_for_ever(tmp_path: Path, console: Console) -> None:
    (tmp_path / "console.1").write_bytes(b"x" * ring.LIMIT)
    (tmp_path / "console").write_bytes(b"y" * ring.LIMIT)

    def runs() -> bool:
        with (tmp_path / "console").open("ab") as file:
            file.write(b"z")
        assert (tmp_path / "console").stat().st_size < ring.LIMIT + 4, "more than is kept is gathered"
        return True

    assert next(console.lines(None, runs)).endswith("yz")
