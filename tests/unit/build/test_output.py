"""Lines of output, and what must not be in them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbox.build.output import Lines


def fed(lines: Lines, *chunks: bytes) -> list[str]:
    found = [line for chunk in chunks for line in lines.feed(1, chunk)]
    return [*found, *(line for _, line in lines.finish())]


def test_lines_are_cut_whatever_the_chunks() -> None:
    assert fed(Lines(), b"a", b"b\nc\r", b"\nd\re", b"f") == ["ab", "c", "d", "ef"]


def test_streams_do_not_mix() -> None:
    lines = Lines()
    assert list(lines.feed(1, b"out")) == []
    assert list(lines.feed(2, b"err\n")) == ["err"]
    assert list(lines.feed(1, b"put\n")) == ["output"]


def test_broken_utf8_is_no_error() -> None:
    assert fed(Lines(), b"\xff\xc3", b"\xa9\n") == ["\ufffd\u00e9"]


@given(st.integers(1, 40), st.binary(max_size=200).filter(lambda data: b"\r" not in data))
def test_a_secret_never_shows_however_the_output_is_cut(size: int, noise: bytes) -> None:
    secret = "hunter2-and-more"
    data = noise + secret.encode() + noise + b"\n" + secret.encode()
    chunks = [data[start : start + size] for start in range(0, len(data), size)]
    assert secret not in "\n".join(fed(Lines([secret]), *chunks))


def test_a_secret_across_the_cut_of_an_endless_line_does_not_show() -> None:
    secret = "hunter2-and-more"
    data = b"x" * (64 * 1024 - 8) + secret.encode() + b"y" * 100
    assert "hunter2" not in "".join(fed(Lines([secret]), *[data[i : i + 1000] for i in range(0, len(data), 1000)]))


def test_each_line_of_a_long_secret_is_masked() -> None:
    assert fed(Lines(["first-line\nsecond-line"]), b"a second-line b\n") == ["a *** b"]


@pytest.mark.parametrize("short", ["", "a", "abc"])
def test_a_secret_too_short_to_mask_is_left_alone(short: str) -> None:
    assert fed(Lines([short]), b"abcabc\n") == ["abcabc"]
