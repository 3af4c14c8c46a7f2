import pytest

from devbox.cli.text import Span, clean, duration, render, table


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("10%\r50%\r100%", "100%"),
        ("a\tb", "a   b"),
        ("title\x1b]0;pwned\x07 rest", "title rest"),
        ("bell\x07 rtl\u202e", "bell\\x07 rtl\\u202e"),
        ("half a sequence \x1b[", "half a sequence \\x1b["),
        ("plain é 漢\n", "plain é 漢"),
    ],
)
def test_foreign_output_is_shown_as_it_would_look_and_cannot_steer_the_terminal(raw: str, shown: str) -> None:
    assert clean(raw) == shown


def test_a_line_is_escaped_with_and_without_colour() -> None:
    hostile = "\x1b]52;c;cHduZWQ=\x07\r\n"
    assert render(hostile, colour=True) == render(hostile, colour=False) == r"\x1b]52;c;cHduZWQ=\x07\x0d\x0a"


def test_colour_is_put_around_a_span_alone() -> None:
    line = (Span("error", "error"), Span(": x"))
    assert render(line, colour=True) == "\x1b[1;31merror\x1b[0m: x"
    assert render(line, colour=False) == "error: x"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.04, "0.0 s"), (3.21, "3.2 s"), (59.94, "59.9 s"), (125, "2 min 05 s"), (3600, "60 min 00 s")],
)
def test_durations_are_for_people(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


def test_columns_line_up_even_around_what_had_to_be_escaped() -> None:
    lines = [render(line, colour=False) for line in table([("a\n", "x"), ("longer", Span("y", "dim"), "z")])]
    assert lines == ["a\\x0a   x", "longer  y  z"]


def test_an_empty_table_has_no_lines() -> None:
    assert table([]) == []
