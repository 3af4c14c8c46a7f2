"""The guest's end over the real agent of this host: what it does that a host's end does not, or not in the same way."""

import os
import select
import signal
import stat
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from devbox.agent.client import dial
from devbox.agent.session import start
from devbox.agent.wire import FLAG_STDIN, FLAG_SYNC, ExecMessage
from devbox.sync.endpoint import (
    CHUNK,
    Abort,
    Begin,
    Chunk,
    Code,
    Commit,
    Copy,
    Event,
    Hash,
    List,
    MakeDirectory,
    MakeLink,
    Mark,
    Read,
    Remove,
    Rename,
    SetExecutable,
    Stat,
)
from devbox.sync.guest import GuestEndpoint, GuestLost
from tests.support.agent import HostAgent, host_agent
from tests.support.sync_guest import (
    PATIENCE,
    USER,
    agent_program,
    answers,
    ask,
    digest,
    guest_at,
    guest_of,
    happened,
    put,
    stamp,
    until,
)

pytestmark = pytest.mark.long

MTIME = 1_700_000_000_123_456_789


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.fixture
def agent() -> Iterator[HostAgent]:
    with host_agent(argv=[agent_program()]) as found:
        yield found


@pytest.fixture
def guest(agent: HostAgent, root: Path) -> Iterator[GuestEndpoint]:
    endpoint = guest_of(agent, root)
    yield endpoint
    endpoint.close()


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def test_a_file_is_put_with_its_time_and_mode_and_nothing_is_left_beside_it(guest: GuestEndpoint, root: Path) -> None:
    answer = ask(guest, put(b"a", b"one", executable=True))
    assert answer.code is Code.DONE
    assert (root / "a").read_bytes() == b"one"
    found = (root / "a").stat()
    assert (stat.S_IMODE(found.st_mode), found.st_mtime_ns) == (0o755, MTIME)
    assert answer.stamp == stamp(guest, b"a")
    assert names(root) == {"a"}


def test_a_put_over_another_version_changes_nothing(guest: GuestEndpoint, root: Path) -> None:
    first = ask(guest, put(b"a", b"one")).stamp
    (root / "a").write_bytes(b"two")
    answer = ask(guest, put(b"a", b"three", first))
    assert (answer.code, answer.stamp) == (Code.CHANGED, stamp(guest, b"a"))
    assert ask(guest, put(b"a", b"three")).code is Code.CHANGED
    assert (root / "a").read_bytes() == b"two"
    assert names(root) == {"a"}


def test_what_is_replaced_goes_to_the_trash(guest: GuestEndpoint, root: Path) -> None:
    first = ask(guest, put(b"a", b"one")).stamp
    (root / "a").chmod(0o640)
    second = ask(guest, put(b"a", b"two", stamp(guest, b"a"), keep=b"now-1/a"))
    assert (second.code, first is not None) == (Code.DONE, True)
    assert stat.S_IMODE((root / "a").stat().st_mode) == 0o640
    assert second.stamp
    assert ask(guest, Remove(b"a", second.stamp, b"now-1/deep/a")).code is Code.DONE
    assert (root / ".devbox/trash/now-1/a").read_bytes() == b"one"
    assert (root / ".devbox/trash/now-1/deep/a").read_bytes() == b"two"
    assert (root / ".devbox/.gitignore").read_text() == "*\n"
    assert names(root) == {".devbox"}


def test_content_that_is_not_what_its_digest_says_is_not_put(guest: GuestEndpoint, root: Path) -> None:
    assert ask(guest, put(b"a", b"one")._replace(digest=digest(b"two"))).code is Code.CHANGED
    assert not names(root)


@pytest.mark.parametrize("path", [b"../a", b"/a", b"a//b", b"./a", b"a/..", b""])
def test_a_path_that_leads_elsewhere_is_refused(guest: GuestEndpoint, root: Path, path: bytes) -> None:
    assert ask(guest, put(path, b"one")).code is Code.REFUSED
    assert ask(guest, MakeDirectory(path)).code is Code.REFUSED
    assert names(root.parent) == {"root"}
    assert not names(root)


def test_no_link_in_a_path_is_followed(guest: GuestEndpoint, root: Path) -> None:
    outside = root.parent / "outside"
    outside.mkdir()
    (outside / "secret").write_text("s")
    (root / "link").symlink_to(outside)
    assert ask(guest, put(b"link/a", b"one")).code is Code.FAILED
    assert ask(guest, Read(b"link/secret", None, 0, 10)).code is Code.CHANGED
    assert ask(guest, List(b"link")).code is Code.FAILED
    assert ask(guest, Stat(b"link/secret")).found == ()
    assert names(outside) == {"secret"}


def test_what_is_made_is_found_by_looking(guest: GuestEndpoint, root: Path) -> None:
    requests = [MakeDirectory(b"d"), put(b"d/f", b"12345"), MakeLink(b"d/l", None, b"../nowhere")]
    made = [answer.stamp for answer in answers(guest, *requests)]
    found = {entry.name: entry for entry in ask(guest, List(b"d")).found}
    assert {name: entry.stamp for name, entry in found.items()} == {b"f": made[1], b"l": made[2]}
    assert (found[b"l"].target, ask(guest, Stat(b"d/l")).found[0].target) == (b"../nowhere", b"../nowhere")
    assert stat.S_IMODE((root / "d").stat().st_mode) == 0o755
    assert ask(guest, MakeDirectory(b"d")).code is Code.CHANGED


def test_a_directory_of_many_names_comes_whole(guest: GuestEndpoint, root: Path) -> None:
    for index in range(5000):
        (root / f"{index:0200}").touch()
    assert {entry.name for entry in ask(guest, List(b"")).found} == {b"%0200d" % index for index in range(5000)}


def test_content_is_read_and_hashed(guest: GuestEndpoint, root: Path) -> None:
    data = os.urandom(3 * CHUNK + 17)
    (root / "a").write_bytes(data)
    there = stamp(guest, b"a")
    assert there
    assert ask(guest, Read(b"a", None, CHUNK, CHUNK)).data == data[CHUNK : 2 * CHUNK]
    assert ask(guest, Read(b"a", there, 3 * CHUNK, CHUNK)).data == data[3 * CHUNK :]
    assert ask(guest, Hash(b"a", there)).data == digest(data)
    blocks = [digest(data[at : at + 1000]) for at in range(0, len(data), 1000)]
    assert ask(guest, Hash(b"a", there, 1000)).data == b"".join(blocks)
    assert ask(guest, Hash(b"a", there._replace(ctime=1))).code is Code.CHANGED


def test_a_big_file_is_taken_up_where_it_was_left(guest: GuestEndpoint, agent: HostAgent, root: Path) -> None:
    data = os.urandom(2 * CHUNK + 5)
    begin = Begin(7, b"big", digest(data))
    begun, first = answers(guest, begin, Chunk(7, 0, data[:CHUNK]))
    assert (begun.stamp and begun.stamp.size, first.code) == (0, Code.DONE)
    guest.close()
    again = guest_of(agent, root)
    found = ask(again, begin).stamp
    assert found
    assert found.size == CHUNK
    rest = [Chunk(7, CHUNK, data[CHUNK : 2 * CHUNK]), Chunk(7, 2 * CHUNK, data[2 * CHUNK :])]
    commit = Commit(7, b"big", None, len(data), digest(data), False, MTIME)
    assert [answer.code for answer in answers(again, *rest, commit)] == [Code.DONE] * 3
    assert (root / "big").read_bytes() == data
    assert names(root) == {"big"}
    again.close()


def test_a_big_file_is_made_out_of_an_old_one_and_new_pieces(guest: GuestEndpoint, root: Path) -> None:
    old = os.urandom(CHUNK * 2)
    (root / "a").write_bytes(old)
    there = stamp(guest, b"a")
    assert there
    new = old[:CHUNK] + b"new" + old[CHUNK:]
    requests = [
        Begin(1, b"a", digest(new)),
        Copy(1, b"a", there, 0, 0, CHUNK),
        Chunk(1, CHUNK, b"new"),
        Copy(1, b"a", there, CHUNK, CHUNK + 3, CHUNK),
        Commit(1, b"a", there, len(new), digest(new), False, MTIME, b"now-1/a"),
    ]
    assert {answer.code for answer in answers(guest, *requests)} == {Code.DONE}
    assert (root / "a").read_bytes() == new
    assert (root / ".devbox/trash/now-1/a").read_bytes() == old


def test_a_big_file_of_another_content_is_not_committed(guest: GuestEndpoint, root: Path) -> None:
    commit = Commit(1, b"a", None, 3, digest(b"one"), False, MTIME)
    codes = [answer.code for answer in answers(guest, Begin(1, b"a", digest(b"one")), Chunk(1, 0, b"two"), commit)]
    assert codes == [Code.DONE, Code.DONE, Code.CHANGED]
    assert not names(root)
    assert ask(guest, Chunk(1, 0, b"x")).code is Code.REFUSED  # the handle has ended


def test_several_files_grow_at_once_and_each_can_be_left(guest: GuestEndpoint, root: Path) -> None:
    answers(guest, *(Begin(index, b"f%d" % index, digest(b"")) for index in range(5)))
    assert len(names(root)) == 5
    assert {answer.code for answer in answers(guest, *(Abort(index) for index in range(4)))} == {Code.DONE}
    assert len(names(root)) == 1
    assert ask(guest, Abort(4, forget=False)).code is Code.DONE
    assert len(names(root)) == 1


def test_renames_and_executable_bits(guest: GuestEndpoint, root: Path) -> None:
    first = ask(guest, put(b"a", b"one")).stamp
    assert first
    (root / "b").touch()
    assert ask(guest, Rename(b"a", first, b"b")).code is Code.CHANGED
    moved = ask(guest, Rename(b"a", first, b"c"))
    assert (moved.code, moved.stamp) == (Code.DONE, stamp(guest, b"c"))
    assert moved.stamp
    made = ask(guest, SetExecutable(b"c", moved.stamp, True))
    assert (made.code, stat.S_IMODE((root / "c").stat().st_mode)) == (Code.DONE, 0o755)
    assert ask(guest, SetExecutable(b"c", moved.stamp, False)).code is Code.CHANGED


def test_a_mark_is_seen_by_who_opens_the_root_next(guest: GuestEndpoint, agent: HostAgent, root: Path) -> None:
    assert guest.identity.nonce == b""
    assert ask(guest, Mark(b"nonce")).code is Code.DONE
    again = guest_of(agent, root)
    assert again.identity == guest.identity._replace(nonce=b"nonce")
    assert again.identity.inode == root.stat().st_ino
    again.close()


def test_changes_by_others_are_told(guest: GuestEndpoint, root: Path) -> None:
    (root / "d").mkdir()
    top, below = (answer.watch for answer in answers(guest, List(b"", True), List(b"d", True)))
    (root / "d" / "f").write_bytes(b"x")
    (root / "g").mkdir()
    until(guest, lambda: True)
    assert set(happened(guest)) == {Event(below, b"f"), Event(top, b"g")}
    (root / "d" / "f").rename(root / "h")
    assert happened(guest) == [Event(below, b"f"), Event(top, b"h")]
    (root / "d").rmdir()
    assert set(happened(guest)) == {Event(below, b""), Event(top, b"d")}


def test_a_queue_of_events_that_ran_over_is_told(guest: GuestEndpoint, root: Path) -> None:
    ask(guest, List(b"", True))
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    programs = [int(line) for pid in children for line in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    assert programs
    try:
        for pid in programs:
            os.kill(pid, signal.SIGSTOP)
        for index in range(limit // 2 + 10):
            (root / f"{index % 100}").touch()
            (root / f"{index % 100}").unlink()
    finally:
        for pid in programs:
            os.kill(pid, signal.SIGCONT)
    assert Event(-1, b"") in happened(guest)


def test_a_root_that_cannot_be_used_is_an_error(agent: HostAgent, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        guest_of(agent, tmp_path / "nowhere")


def test_a_root_that_is_gone_is_a_lost_guest(guest: GuestEndpoint, root: Path) -> None:
    root.rename(root.with_name("moved"))
    with pytest.raises(GuestLost):
        ask(guest, Stat(b""))
    with pytest.raises(GuestLost):
        guest.process()


def test_requests_that_came_while_long_answers_went_out_are_answered_too(guest: GuestEndpoint, root: Path) -> None:
    (root / "big").write_bytes(bytes(4 * CHUNK))
    for _ in range(20):
        found = answers(guest, *[Read(b"big", None, number * CHUNK, CHUNK) for number in range(4)])
        assert [len(answer.data) for answer in found] == [CHUNK] * 4


@pytest.fixture
def told(tmp_path: Path) -> Iterator[tuple[Path, GuestEndpoint, int]]:
    """A watched directory whose small files are told of with their content."""
    (tmp_path / "d").mkdir()
    with guest_at(tmp_path) as endpoint:
        yield tmp_path / "d", endpoint, ask(endpoint, List(b"d", watch=True, contents=True)).watch


Told = tuple[Path, GuestEndpoint, int]


def contents(endpoint: GuestEndpoint) -> list[tuple[bytes, bytes | None]]:
    return [(event.name, event.data if event.stamp else None) for event in happened(endpoint)]


def test_a_small_file_is_told_of_with_its_content(told: Told) -> None:
    directory, endpoint, watch = told
    (directory / "file").write_bytes(b"content")
    (event,) = happened(endpoint)
    assert event == (watch, b"file", stamp(endpoint, b"d/file"), b"content")
    (directory / "file").rename(directory / "moved")
    assert dict(contents(endpoint)) == {b"file": None, b"moved": b"content"}
    (directory / "file").touch()
    assert contents(endpoint) == [(b"file", b"")]


def test_what_the_client_was_told_already_is_told_without(told: Told) -> None:
    directory, endpoint, _ = told
    ask(endpoint, put(b"d/file", b"ours"))
    assert contents(endpoint) == [(b"file", None)]
    (directory / "file").write_bytes(b"theirs")
    assert contents(endpoint) == [(b"file", b"theirs")]


def test_neither_links_nor_big_files_nor_those_of_a_directory_that_was_replaced_are_told_with_it(told: Told) -> None:
    directory, endpoint, _ = told
    (directory / "big").write_bytes(b"x" * 40_000)
    (directory / "link").symlink_to("big")
    assert dict(contents(endpoint)) == {b"big": None, b"link": None}
    directory.rename(directory.parent / "e")
    directory.mkdir()
    (directory / "file").write_bytes(b"of another")
    (directory.parent / "e" / "file").write_bytes(b"content")
    assert dict(contents(endpoint))[b"file"] is None


def test_many_at_once_are_told_without_for_the_most_part(told: Told) -> None:
    directory, endpoint, _ = told
    for number in range(500):
        (directory / f"{number}").write_bytes(b"x" * 4000)
    found = contents(endpoint)
    assert len(found) == 500
    assert 0 < sum(data is not None for _, data in found) < 400


def test_a_content_from_before_a_change_of_ours_is_forgotten(told: Told) -> None:
    directory, endpoint, _ = told
    (directory / "file").write_bytes(b"before")
    there = stamp(endpoint, b"d/file")
    ask(endpoint, put(b"d/file", b"ours", there))
    assert contents(endpoint) == [(b"file", None)]


def test_a_mebibyte_may_be_on_its_way_to_it(agent: HostAgent, root: Path) -> None:
    message = ExecMessage((str(root),), user=USER, flags=FLAG_SYNC | FLAG_STDIN)
    with closing(start(dial(agent.path), agent.identity, message)) as session:
        end = time.monotonic() + PATIENCE
        while session.room < 1 << 20 and time.monotonic() < end:
            select.select([session], [], [], PATIENCE)
            session.receive_ready()
        assert session.room == 1 << 20
