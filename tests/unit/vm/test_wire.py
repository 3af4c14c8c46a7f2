"""Frames on a machine's wire, as QEMU writes them one behind the other."""

import pytest

from devbox.vm.wire import LONGEST, frames


def _written(*contents: bytes) -> bytes:
    return b"".join(len(one).to_bytes(4, "big") + one for one in contents)


def test_whole_frames_are_taken_and_what_has_begun_stays() -> None:
    whole = _written(b"one", b"", b"three")
    for cut in range(len(whole) + 1):
        begun = bytearray(whole[:cut])
        first = frames(begun)
        begun += whole[cut:]
        assert first + frames(begun) == [b"one", b"", b"three"]
        assert begun == b""


def test_a_frame_that_is_longer_than_there_are_is_none() -> None:
    longest = bytearray(_written(bytes(LONGEST)))
    assert frames(longest) == [bytes(LONGEST)]
    with pytest.raises(ValueError, match="too long"):
        frames(bytearray((LONGEST + 1).to_bytes(4, "big")))
