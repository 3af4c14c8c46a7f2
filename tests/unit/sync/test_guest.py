"""The guest's end over a program that says whatever a test wants."""

import struct
from collections.abc import Iterator

import pytest

from devbox.sync import guest as module
from devbox.sync import wire
from devbox.sync.core.entry import Stamp
from devbox.sync.endpoint import (
    CHUNK,
    Answer,
    Barrier,
    Chunk,
    Code,
    Event,
    Found,
    Hash,
    List,
    MakeDirectory,
    Plant,
    Read,
    Request,
    Seed,
    Stat,
)
from devbox.sync.guest import GuestEndpoint, GuestLost
from tests.fakes.sync_program import HELLO, STAMP, SyncProgram, answer, frame
from tests.support.sync_guest import until

SOME = Stamp(0o100644, 10, 3, 4, 5)
FILE = STAMP.pack(*SOME)


@pytest.fixture
def program() -> SyncProgram:
    return SyncProgram()


@pytest.fixture
def guest(program: SyncProgram) -> Iterator[GuestEndpoint]:
    endpoint = GuestEndpoint(program)
    yield endpoint
    endpoint.close()
    assert program.closed


def test_it_knows_what_root_it_has(guest: GuestEndpoint) -> None:
    assert guest.identity == (b"", 1, 2, 3)


def test_answers_come_in_order_and_each_to_its_own(program: SyncProgram, guest: GuestEndpoint) -> None:
    found: list[tuple[str, Answer]] = []
    guest.ask(Stat(b"a"), lambda it: found.append(("a", it)))
    guest.ask(MakeDirectory(b"b"), lambda it: found.append(("b", it)))
    program.say(answer(1, 1, FILE + b"to", fields=1) + answer(2, 11, code=2, errno=13))
    until(guest, lambda: len(found) == 2)
    assert found == [("a", Answer(found=(Found(b"", SOME, b"to"),))), ("b", Answer(Code.FAILED, 13))]


def test_an_answer_in_parts_is_put_together(program: SyncProgram, guest: GuestEndpoint) -> None:
    found: list[Answer] = []
    guest.ask(List(b"a", True), found.append)
    guest.ask(Hash(b"a", SOME, 5), found.append)
    one = struct.pack("<i", 4) + struct.pack("<H", 1) + b"x" + FILE + bytes(2)
    program.say(answer(1, 2, one, fields=4) + answer(1, 2, one.replace(b"x", b"y")))
    program.say(answer(2, 3, b"1" * 32, fields=4) + answer(2, 3, b"2" * 32, fields=4) + answer(2, 3))
    until(guest, lambda: len(found) == 2)
    assert found[0] == Answer(found=(Found(b"x", SOME), Found(b"y", SOME)), watch=4)
    assert found[1].data == b"1" * 32 + b"2" * 32


def test_what_was_read_beside_something_else_is_told_by_the_descriptor(
    program: SyncProgram, guest: GuestEndpoint
) -> None:
    found: list[Answer] = []
    program.hold(answer(1, 17) + frame(0, wire.EVENTS, struct.pack("<iB", 1, 1) + b"n"))
    guest.ask(Barrier(), found.append)
    until(guest, lambda: found)
    assert list(guest.events()) == [Event(1, b"n")]
    assert list(guest.events()) == []


def test_what_is_asked_in_an_answer_is_sent(program: SyncProgram, guest: GuestEndpoint) -> None:
    found: list[Answer] = []
    guest.ask(Barrier(), lambda _: guest.ask(Barrier(), found.append))
    program.say(answer(1, 17))
    until(guest, lambda: program.heard.endswith(wire.encode(2, Barrier())))
    program.say(answer(2, 17))
    until(guest, lambda: found)


class Lazy(SyncProgram):
    """Answers the oldest request when it is sent more, and notes how much was unanswered at most."""

    def __init__(self) -> None:
        super().__init__()
        self.frames = wire.Frames()
        self.unanswered: list[tuple[int, int]] = []
        self.most = 0

    def send(self, data: bytes) -> None:
        for number, _, payload in self.frames.feed(data):
            self.unanswered.append((number, len(payload) + wire.HEADER))
        self.most = max(self.most, sum(size for _, size in self.unanswered))
        self.answer()

    def answer(self) -> None:
        self.say(answer(self.unanswered.pop(0)[0], 7))


def test_no_more_is_unanswered_than_the_program_has_room_for() -> None:
    program, found = Lazy(), list[Answer]()
    guest = GuestEndpoint(program)
    for _ in range(50):
        guest.ask(Chunk(1, 0, bytes(CHUNK - 64)), found.append)
    while len(found) < 50:
        if program.unanswered:
            program.answer()
        guest.process()
    assert wire.WINDOW - CHUNK < program.most <= wire.WINDOW
    guest.close()


def test_one_that_does_not_go_on_is_not_waited_for(program: SyncProgram, guest: GuestEndpoint) -> None:
    found: list[Answer] = []
    for _ in range(8):
        guest.ask(Chunk(1, 0, bytes(CHUNK - 64)), found.append)
    assert wire.WINDOW - CHUNK < len(program.heard) <= wire.WINDOW
    program.say(b"".join(answer(number, 7) for number in range(1, 4)))
    until(guest, lambda: len(found) == 3)
    assert len(program.heard) > wire.WINDOW


def test_what_it_does_not_read_is_not_waited_for_either(program: SyncProgram, guest: GuestEndpoint) -> None:
    found: list[Answer] = []
    program.room_left = 100
    guest.ask(Chunk(1, 0, bytes(CHUNK - 64)), found.append)
    assert len(program.heard) == 100
    program.room_left = 0
    guest.ask(Barrier(), found.append)
    guest.process()
    assert len(program.heard) == 100
    program.room_left = 1 << 20
    guest.process()
    assert program.heard == wire.encode(1, Chunk(1, 0, bytes(CHUNK - 64))) + wire.encode(2, Barrier())


@pytest.mark.parametrize("request_", [Plant(b"", (Seed(b"n", b"x", bytes(32), False, 1),)), MakeDirectory(b"n")])
def test_what_came_before_the_answer_to_a_change_says_nothing_of_content(
    program: SyncProgram, guest: GuestEndpoint, request_: Request
) -> None:
    found: list[Answer] = []
    guest.ask(request_, found.append)
    verb = wire.PUT if isinstance(request_, Plant) else wire.verb(request_)
    event = struct.pack("<iB", 1, 1) + b"n" + STAMP.pack(*SOME._replace(size=3)) + b"old"
    program.say(frame(0, wire.FILE, event) + answer(1, verb, FILE, fields=1))
    until(guest, lambda: found)
    assert list(guest.events()) == [Event(1, b"n")]


def test_events_that_nobody_fetches_come_to_one(
    program: SyncProgram, guest: GuestEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_EVENTS_MAX", 3)
    for name in (b"a", b"b", b"b", b"c", b"d"):
        program.say(frame(0, wire.EVENTS, struct.pack("<iB", 1, 1) + name))
    guest.process()
    assert list(guest.events()) == [Event(-1, b"")]


LIES: list[tuple[str, Request, bytes]] = [
    ("nobody asked", Barrier(), answer(2, 17)),
    ("another request", Stat(b"a"), answer(1, 17)),
    ("no answer", Barrier(), frame(1, 17, bytes(4))),
    ("unknown by itself", Barrier(), frame(0, 66)),
    ("hello again", Barrier(), frame(0, wire.HELLO, HELLO)),
    ("a code", Barrier(), answer(1, 17, code=4)),
    ("too long", Barrier(), answer(1, 17, b"x")),
    ("goes on", Barrier(), answer(1, 17, fields=4)),
    ("more content", Read(b"a", None, 0, 3), answer(1, 4, b"four")),
    ("more content in parts", Read(b"a", None, 0, 3), answer(1, 4, b"tw", fields=4) * 2),
    ("fewer digests", Hash(b"a", SOME, 5), answer(1, 3, bytes(32))),
    ("more digests", Hash(b"a", SOME), answer(1, 3, bytes(64))),
    ("up", List(b""), answer(1, 2, struct.pack("<iH", 1, 2) + b".." + FILE + bytes(2))),
    ("elsewhere", List(b""), answer(1, 2, struct.pack("<iH", 1, 4) + b"/etc" + FILE + bytes(2))),
    ("up, by itself", Barrier(), frame(0, wire.EVENTS, struct.pack("<iB", 1, 2) + b"..")),
    ("a link's NUL", Stat(b"a"), answer(1, 1, FILE + b"a\0b", fields=1)),
    ("endless", Barrier(), struct.pack("<IIB", 2**32 - 1, 1, 17 + 128)),
]


@pytest.mark.parametrize(("request_", "lie"), [lie[1:] for lie in LIES], ids=[lie[0] for lie in LIES])
def test_a_lie_ends_it(program: SyncProgram, guest: GuestEndpoint, request_: Request, lie: bytes) -> None:
    found: list[Answer] = []
    guest.ask(request_, found.append)
    program.say(lie)
    with pytest.raises(GuestLost):
        guest.process()
    with pytest.raises(GuestLost):
        guest.ask(Barrier(), found.append)
    assert not found


@pytest.mark.parametrize(("limit", "most"), [("ENTRIES_MAX", 2), ("LIST_MAX", 100)])  # of names, of bytes
def test_a_directory_without_end_is_not_taken(
    program: SyncProgram, guest: GuestEndpoint, monkeypatch: pytest.MonkeyPatch, limit: str, most: int
) -> None:
    monkeypatch.setattr(wire, limit, most)
    guest.ask(List(b""), lambda _: None)
    program.say(answer(1, 2, struct.pack("<iH", 1, 1) + b"x" + FILE + bytes(2), fields=4) * 3)
    with pytest.raises(GuestLost):
        guest.process()


def test_one_that_ends_is_lost(program: SyncProgram, guest: GuestEndpoint) -> None:
    program.end()
    with pytest.raises(GuestLost, match="ended"):
        guest.process()


@pytest.mark.parametrize(
    "said", [frame(0, wire.HELLO, struct.pack("<HH", 2, 0)), frame(0, wire.EVENTS), frame(0, wire.HELLO, b"")]
)
def test_a_first_word_that_is_none_is_an_error(said: bytes) -> None:
    program = SyncProgram(said, hello=False)
    with pytest.raises(GuestLost):
        GuestEndpoint(program)
    assert program.closed


def test_one_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.01)
    with pytest.raises(GuestLost, match="nothing"):
        GuestEndpoint(SyncProgram(hello=False))
