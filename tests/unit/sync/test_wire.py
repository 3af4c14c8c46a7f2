"""What is said to a guest, and what a guest may say."""

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbox.agent.fields import WireError
from devbox.sync import wire, wire_many
from devbox.sync.core.entry import Stamp
from devbox.sync.endpoint import (
    CHUNK,
    Abort,
    Answer,
    Barrier,
    Begin,
    Chunk,
    Code,
    Commit,
    Copy,
    Event,
    Found,
    Hash,
    Identity,
    List,
    MakeDirectory,
    MakeLink,
    Mark,
    Plant,
    Put,
    Read,
    Remove,
    Rename,
    Request,
    Seed,
    SetExecutable,
    Stat,
)
from tests.fakes.sync_program import STAMP, answer, frame

pytestmark = pytest.mark.long

U32, U64 = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
I64 = st.integers(-(2**63), 2**63 - 1)
STAMPS = st.builds(Stamp, U32, U64, I64, I64, U64)
NAMES = st.binary(min_size=1, max_size=255).filter(
    lambda name: not set(b"\0/") & set(name) and name not in {b".", b".."}
)
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(b"/".join)
DIGESTS = st.binary(min_size=32, max_size=32)


def _list_of(path: bytes, look: tuple[bool, bool]) -> List:
    return List(path, watch=look[0], contents=look[1])


LOOKS = {0: (False, False), 1: (True, False), 3: (True, True)}  # watch, contents
FOUND = st.builds(Found, NAMES, STAMPS, st.binary(max_size=300).filter(lambda target: 0 not in target))


class Reader:
    """Reads a request as the agent does."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def raw(self, size: int) -> bytes:
        taken, self.data = self.data[:size], self.data[size:]
        assert len(taken) == size
        return taken

    def some(self, form: str) -> Any:
        values = struct.unpack("<" + form, self.raw(struct.calcsize("<" + form)))
        return values if len(values) > 1 else values[0]

    def text(self) -> bytes:
        return self.raw(self.some("I"))

    def stamp(self) -> Stamp:
        return Stamp(*self.some("IQqqQ"))

    def expected(self) -> Stamp | None:
        return self.stamp() if self.some("B") else None

    def rest(self) -> bytes:
        return self.raw(len(self.data))


def _put(r: Reader) -> Put:
    path, expected, digest, (executable, mtime), keep = r.text(), r.expected(), r.raw(32), r.some("Bq"), r.text()
    return Put(path, expected, r.rest(), digest, bool(executable), mtime, keep)


def _commit(r: Reader) -> Commit:
    path, expected, digest, (executable, mtime), keep = r.text(), r.expected(), r.raw(32), r.some("Bq"), r.text()
    handle, size = r.some("IQ")
    return Commit(handle, path, expected, size, digest, bool(executable), mtime, keep)


READERS: dict[int, Any] = {
    1: lambda r: Stat(r.text()),
    2: lambda r: _list_of(r.text(), LOOKS[r.some("B")]),
    3: lambda r: Hash(r.text(), r.stamp(), r.some("I")),
    4: lambda r: Read(r.text(), r.expected(), *r.some("QI")),
    5: _put,
    6: lambda r: Begin(r.some("I"), r.text(), r.raw(32)),
    7: lambda r: Chunk(*r.some("IQ"), r.rest()),
    8: lambda r: Copy(r.some("I"), r.text(), r.stamp(), *r.some("QQQ")),
    9: _commit,
    10: lambda r: Abort(r.some("I"), bool(r.some("B"))),
    11: lambda r: MakeDirectory(r.text()),
    12: lambda r: MakeLink(r.text(), r.expected(), r.text(), r.text()),
    13: lambda r: Remove(r.text(), r.stamp(), r.text()),
    14: lambda r: Rename(r.text(), r.stamp(), r.text()),
    15: lambda r: SetExecutable(r.text(), r.stamp(), bool(r.some("B"))),
    16: lambda r: Mark(r.rest()),
    17: lambda r: Barrier(),
}
EXPECTED, KEEP, SMALL = st.none() | STAMPS, st.just(b"") | PATHS, st.binary(max_size=2000)
REQUESTS = st.one_of(
    st.builds(Stat, st.just(b"") | PATHS),
    st.builds(
        _list_of,
        st.just(b"") | PATHS,
        st.sampled_from([*LOOKS.values()]),
    ),
    st.builds(Hash, PATHS, STAMPS, U32),
    st.builds(Read, PATHS, EXPECTED, U64, st.integers(0, CHUNK)),
    st.builds(Put, PATHS, EXPECTED, SMALL, DIGESTS, st.booleans(), I64, KEEP),
    st.builds(Begin, U32, PATHS, DIGESTS),
    st.builds(Chunk, U32, U64, SMALL),
    st.builds(Copy, U32, PATHS, STAMPS, U64, U64, U64),
    st.builds(Commit, U32, PATHS, EXPECTED, U64, DIGESTS, st.booleans(), I64, KEEP),
    st.builds(Abort, U32, st.booleans()),
    st.builds(MakeDirectory, PATHS),
    st.builds(MakeLink, PATHS, EXPECTED, PATHS, KEEP),
    st.builds(Remove, PATHS, STAMPS, KEEP),
    st.builds(Rename, PATHS, STAMPS, PATHS),
    st.builds(SetExecutable, PATHS, STAMPS, st.booleans()),
    st.builds(Mark, st.binary(min_size=1, max_size=wire.NONCE_MAX)),
    st.just(Barrier()),
)


@given(st.integers(1, 2**32 - 1), REQUESTS)
def test_a_request_is_said_whole(number: int, request: Request) -> None:
    data = wire.encode(number, request)
    length, said, verb = struct.unpack_from("<IIB", data)
    reader = Reader(data[wire.HEADER :])
    assert (length, said, verb) == (len(reader.data), number, wire.verb(request))
    assert READERS[verb](reader) == request
    assert not reader.data


SOME = Stamp(1, 2, 3, 4, 5)


@pytest.mark.parametrize(
    "request_",
    [
        Stat(b"a\0b"),
        Stat(b"x" * 4096),
        Put(b"a", None, bytes(CHUNK + 1), bytes(32), False, 0),
        Put(b"a", None, b"", bytes(31), False, 0),
        Put(b"a", None, b"", bytes(32), False, 2**63),
        Read(b"a", None, 0, CHUNK + 1),
        Read(b"a", None, -1, 0),
        Chunk(2**32, 0, b""),
        Remove(b"a", SOME._replace(size=-1)),
        Mark(bytes(wire.NONCE_MAX + 1)),
    ],
    ids=repr,
)
def test_what_cannot_be_said_is_not(request_: Request) -> None:
    with pytest.raises(ValueError, match=r"."):
        wire.encode(1, request_)


@given(st.lists(st.tuples(U32, st.integers(0, 255), st.binary(max_size=300)), max_size=8), st.data())
def test_frames_are_found_however_the_stream_is_cut(said: list[tuple[int, int, bytes]], data: st.DataObject) -> None:
    stream = b"".join(frame(*one) for one in said)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    frames, found = wire.Frames(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += [(number, verb, bytes(payload)) for number, verb, payload in frames.feed(stream[start:end])]
    assert found == said


def test_a_frame_that_is_too_long_is_not_waited_for() -> None:
    with pytest.raises(WireError):
        wire.Frames().feed(struct.pack("<IIB", CHUNK + 65, 1, 133))


def payload(data: bytes) -> memoryview:
    return memoryview(data)[wire.HEADER :]


@given(
    st.sampled_from(list(Code)), st.integers(0, 4095), st.none() | STAMPS, U64, st.booleans(), st.binary(max_size=99)
)
def test_an_answer_is_read_whole(
    code: Code, errno: int, stamp: Stamp | None, room: int, more: bool, body: bytes
) -> None:
    fields = (stamp is not None) | bool(room) << 1 | more << 2
    data = (STAMP.pack(*stamp) if stamp else b"") + (struct.pack("<Q", room) if room else b"") + body
    part = wire.parse_part(payload(answer(1, 5, data, code=code.value, fields=fields, errno=errno)))
    assert (part.answer, part.more, bytes(part.body)) == (Answer(code, errno, stamp, room=room), more, body)


@pytest.mark.parametrize(
    "said",
    [b"", b"\0\0\0", b"\4\0\0\0", b"\0\x08\0\0", b"\0\0\xff\xff", b"\0\1\0\0" + bytes(35), b"\0\2\0\0" + bytes(7)],
)
def test_an_answer_that_is_none_is_refused(said: bytes) -> None:
    with pytest.raises(WireError):
        wire.parse_part(memoryview(said))


SEEDS = st.lists(st.builds(Seed, st.just(b"name"), SMALL, DIGESTS, st.booleans(), I64), min_size=1, max_size=5)


@given(st.integers(0, 2**32 - 1), st.just(b"") | PATHS, SEEDS)
def test_many_new_files_are_said_as_each_by_itself(number: int, path: bytes, seeds: list[Seed]) -> None:
    plant = Plant(path[:4000], tuple(seeds))
    numbers = [(number + index) % 0xFFFFFFFF + 1 for index in range(len(seeds))]
    each = [wire.encode(one, put) for one, put in zip(numbers, plant.puts(), strict=True)]
    assert wire_many.encode(number, plant) == b"".join(each)


def parse_list(data: memoryview) -> tuple[int, list[Found]]:
    return wire.parse_list(data, {}, [])


def entry(name: bytes, target: bytes = b"") -> bytes:
    return struct.pack("<H", len(name)) + name + STAMP.pack(*SOME) + struct.pack("<H", len(target)) + target


@given(st.integers(-1, 2**31 - 1), st.lists(FOUND, max_size=8))
def test_a_list_is_read_whole(watch: int, found: list[Found]) -> None:
    body = b"".join(
        struct.pack("<H", len(one.name))
        + one.name
        + STAMP.pack(*one.stamp)
        + struct.pack("<H", len(one.target))
        + one.target
        for one in found
    )
    assert parse_list(memoryview(struct.pack("<i", watch) + body)) == (watch, found)


BAD_NAMES = [b"", b".", b"..", b"a/b", b"/", b"a\0", b"x" * 256]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_list_with_a_name_that_is_none_is_refused(name: bytes) -> None:
    with pytest.raises(WireError):
        parse_list(memoryview(struct.pack("<i", 1) + entry(b"good") + entry(name)))


@pytest.mark.parametrize("cut", range(1, len(entry(b"name", b"target"))))
def test_a_list_that_ends_in_the_middle_is_refused(cut: int) -> None:
    with pytest.raises(WireError):
        parse_list(memoryview(struct.pack("<i", 1) + entry(b"name", b"target")[:cut]))


@pytest.mark.parametrize("target", [b"a\0", b"x" * 4096])
def test_a_link_to_what_cannot_be_is_refused(target: bytes) -> None:
    with pytest.raises(WireError):
        parse_list(memoryview(struct.pack("<i", 1) + entry(b"l", target)))


@given(st.lists(st.tuples(st.integers(-1, 2**31 - 1), st.just(b"") | NAMES).map(lambda one: Event(*one)), max_size=20))
def test_events_are_read_whole(events: list[Event]) -> None:
    said = b"".join(struct.pack("<iB", watch, len(name)) + name for watch, name, *_ in events)
    assert wire.parse_events(memoryview(said)) == events


@pytest.mark.parametrize("said", [b"\0", struct.pack("<iB", 1, 2) + b"a", struct.pack("<iB", -2, 1) + b"a"])
def test_events_that_are_none_are_refused(said: bytes) -> None:
    with pytest.raises(WireError):
        wire.parse_events(memoryview(said))


@pytest.mark.parametrize("name", [name for name in BAD_NAMES if 0 < len(name) < 256])
def test_an_event_of_a_name_that_is_none_is_refused(name: bytes) -> None:
    with pytest.raises(WireError):
        wire.parse_events(memoryview(struct.pack("<iB", 1, len(name)) + name))


def test_a_hello_says_what_root_it_is_or_why_it_has_none() -> None:
    head = struct.pack("<HHQQQ", 1, 0, 7, 8, 9)
    assert wire.parse_hello(memoryview(head + b"nonce")) == (1, 0, Identity(b"nonce", 7, 8, 9))
    assert wire.parse_hello(memoryview(struct.pack("<HH", 1, 2)))[:2] == (1, 2)
    assert wire.parse_hello(memoryview(struct.pack("<HH", 9, 0) + b"whatever"))[0] == 9
    for bad in (b"", head[:-1], head + bytes(257), struct.pack("<HH", 1, 4096)):
        with pytest.raises(WireError):
            wire.parse_hello(memoryview(bad))


@given(st.binary(max_size=200))
def test_whatever_comes_is_read_or_refused(said: bytes) -> None:
    for parse in (wire.parse_part, parse_list, wire.parse_events, wire.parse_hello):
        try:
            parse(memoryview(said))
        except WireError:
            continue


WHOLE = struct.pack("<iB", 3, 4) + b"file" + struct.pack("<IQqqQ", 0o100644, 7, 1, 2, 5) + b"content"


def test_a_file_is_told_with_its_content() -> None:
    event = wire.parse_file(memoryview(WHOLE))
    assert event == Event(3, b"file", Stamp(0o100644, 7, 1, 2, 5), b"content")


@pytest.mark.parametrize(
    "payload",
    [
        *(WHOLE[:size] for size in range(len(WHOLE))),
        WHOLE + b"more",
        struct.pack("<i", -1) + WHOLE[4:],
        WHOLE.replace(b"file", b"a/le"),
        WHOLE.replace(struct.pack("<I", 0o100644), struct.pack("<I", 0o040755)),
        WHOLE[:21].replace(struct.pack("<Q", 7), struct.pack("<Q", 40_000)) + WHOLE[21:] + bytes(40_000 - 7),
    ],
)
def test_a_file_that_is_none_is_refused(payload: bytes) -> None:
    with pytest.raises(WireError):
        wire.parse_file(memoryview(payload))
