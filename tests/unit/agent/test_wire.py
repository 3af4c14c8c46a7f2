"""The protocol's frames and messages: said is heard, however it is cut; anything else is a WireError, and no more."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbox.agent import protocol, wire
from devbox.agent.wire import Decoder, WireError, frame
from tests.fakes import agent_messages as says
from tests.support.messages import BARE, CUTS, EMPTY, FROM_AGENT, FROM_CLIENT, KNOWN, MESSAGE, PARSERS, Said, pieces


def heard(decoder: Decoder, parts: Sequence[bytes]) -> tuple[list[tuple[int, int, bytes]], str]:
    """Return the frames that come out, and what was wrong in the end, if anything was."""
    frames = []
    try:
        for part in parts:
            for kind, channel, payload in decoder.feed(part):
                frames.append((kind, channel, bytes(payload)))
            assert 0 < decoder.wanted <= wire.EXEC_MAX
    except WireError as error:
        return frames, str(error)
    return frames, ""


@given(st.lists(MESSAGE, max_size=6), CUTS)
def test_what_is_said_is_heard_however_the_stream_is_cut(said: list[Said], cuts: list[int]) -> None:
    frames, wrong = heard(Decoder(known=KNOWN), pieces(b"".join(one.sent for one in said), cuts))
    assert wrong == ""
    assert [frame(*one) for one in frames] == [one.sent for one in said]
    assert [one.read(payload) for one, (_, _, payload) in zip(said, frames, strict=True)] == [one.meant for one in said]


@pytest.mark.parametrize("side", [FROM_CLIENT, FROM_AGENT], ids=["client", "agent"])
def test_no_message_is_left_out(side: dict[str, object]) -> None:
    known = wire.FROM_CLIENT if side is FROM_CLIENT else wire.FROM_AGENT
    bare = {wire.DATA, wire.STDOUT, wire.STDERR, wire.EOF, wire.CLOSE}
    questions = {wire.LISTENERS, wire.SESSIONS} if side is FROM_CLIENT else {wire.WINDOW}  # WINDOW goes both ways
    assert {getattr(wire, name) for name in side} == known - bare - questions


@given(st.lists(BARE | EMPTY, max_size=6), CUTS)
def test_in_pieces_a_stream_says_the_same_and_no_piece_is_empty_but_of_an_empty_frame(
    said: list[Said], cuts: list[int]
) -> None:
    frames, wrong = heard(Decoder(known=KNOWN, pieces=True), pieces(b"".join(one.sent for one in said), cuts))
    assert wrong == ""
    whole, _ = heard(Decoder(known=KNOWN), [b"".join(one.sent for one in said)])
    for kind in wire.STREAMS:
        assert b"".join(data for other, _, data in frames if other == kind) == b"".join(
            data for other, _, data in whole if other == kind
        )
    assert [one for one in frames if one[0] not in wire.STREAMS] == [one for one in whole if one[0] not in wire.STREAMS]
    assert sum(not data for _, _, data in frames) <= sum(not data for _, _, data in whole)


@given(
    st.binary(max_size=2000) | st.lists(MESSAGE, max_size=4).map(lambda said: b"".join(one.sent for one in said)), CUTS
)
def test_any_bytes_are_frames_or_a_wire_error_that_stays(data: bytes, cuts: list[int]) -> None:
    decoder, whole = Decoder(), heard(Decoder(), [data])
    assert heard(decoder, pieces(data, cuts)) == whole
    assert all(kind in wire.FROM_AGENT and len(payload) <= wire.PAYLOAD_MAX for kind, _, payload in whole[0])
    if whole[1]:
        assert heard(decoder, [frame(wire.EOF, 1)]) == ([], whole[1])
        assert heard(decoder, [b""]) == ([], whole[1])


@given(st.data())
def test_any_payload_is_a_message_or_a_wire_error(data: st.DataObject) -> None:
    payload = bytearray(data.draw(st.binary(max_size=200) | MESSAGE.map(lambda said: said.sent[wire.HEADER :])))
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(payload)))
        payload[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    for parse in PARSERS:
        try:
            parse(bytes(payload))
        except WireError:
            continue
        except OSError:  # the answer to STAT has an error of the file system to tell
            assert parse is protocol.parse_stat


@given(st.text(st.characters(), max_size=20))
def test_a_text_that_cannot_be_said_is_a_value_error(text: str) -> None:
    try:
        sent = wire.stat(1, text)
    except ValueError:
        # NUL, and halves of pairs of UTF-16 but for those that stand for a byte
        assert any(char == "\0" or "\ud800" <= char < "\udc80" or "\udcff" < char <= "\udfff" for char in text)
    else:
        assert says.parse_stat(sent[wire.HEADER :])[1].encode("utf-8", "surrogateescape") == text.encode(
            "utf-8", "surrogateescape"
        )


@given(st.binary(max_size=200))
def test_what_is_shown_cannot_steer_a_terminal(data: bytes) -> None:
    shown = wire.plain(data)
    assert shown.isascii()
    assert shown.isprintable()
