import errno
import io
import json

import pytest

from devbox.cli.reporting import TerminalReporter, make_reporter
from devbox.cli.terminal import OutputGoneError, Terminal
from devbox.cli.text import Span
from devbox.errors import DevboxError


class Screen(io.TextIOWrapper):
    """A stream that says it is a terminal, or not."""

    def __init__(self, *, terminal: bool = False, encoding: str = "utf-8", failing: int = 0) -> None:
        super().__init__(io.BytesIO(), encoding=encoding, write_through=True)
        self._terminal = terminal
        self._failing = failing

    def isatty(self) -> bool:
        return self._terminal

    def write(self, text: str) -> int:
        if self._failing:
            raise OSError(self._failing, "cannot")
        return super().write(text)

    @property
    def text(self) -> str:
        buffer = self.buffer
        assert isinstance(buffer, io.BytesIO)
        return buffer.getvalue().decode(self.encoding)


def make(
    *,
    out: Screen | None = None,
    err: Screen | None = None,
    stdin: Screen | None = None,
    environ: dict[str, str] | None = None,
) -> Terminal:
    return Terminal(
        stdin=stdin,
        stdout=out or Screen(),
        stderr=err or Screen(),
        environ={"TERM": "xterm", "LANG": "C.UTF-8"} if environ is None else environ,
    )


class Clock:
    def __init__(self, *times: float) -> None:
        self._times = list(times)

    def __call__(self) -> float:
        return self._times.pop(0)


def test_results_go_to_stdout_and_all_else_to_stderr() -> None:
    out, err = Screen(), Screen()
    terminal = make(out=out, err=err)
    terminal.result(["one", (Span("two", "good"),)])
    terminal.say("aside")
    assert (out.text, err.text) == ("one\ntwo\n", "aside\n")


def test_a_document_is_one_json_value_with_its_schema() -> None:
    out = Screen(encoding="ascii")
    make(out=out).document({"name": "é\u202e"})
    assert json.loads(out.text) == {"schema": 1, "name": "é\u202e"}
    assert out.text.isascii()


@pytest.mark.parametrize("environ", [{"TERM": "dumb"}, {}, {"TERM": "xterm", "NO_COLOR": "1"}])
def test_no_colour_where_it_is_not_wanted(environ: dict[str, str]) -> None:
    err = Screen(terminal=True)
    make(err=err, environ=environ).say((Span("x", "error"),))
    assert err.text == "x\n"


def test_colour_on_a_terminal() -> None:
    err = Screen(terminal=True)
    make(err=err).say((Span("x", "error"),))
    assert err.text == "\x1b[1;31mx\x1b[0m\n"


def test_what_the_encoding_cannot_show_is_escaped_not_fatal() -> None:
    out = Screen(encoding="ascii")
    make(out=out).result(["é"])
    assert out.text == "\\xe9\n"


def test_a_reader_that_has_gone_is_told_apart_from_a_full_disk() -> None:
    with pytest.raises(OutputGoneError):
        make(out=Screen(failing=errno.EPIPE)).result(["x"])
    with pytest.raises(DevboxError, match="cannot write the result"):
        make(out=Screen(failing=errno.ENOSPC)).result(["x"])


def test_a_closed_stderr_is_no_failure() -> None:
    make(err=Screen(failing=errno.EPIPE)).say("x")


def test_streams_that_do_not_exist_are_no_failure() -> None:
    terminal = Terminal(stdin=None, stdout=None, stderr=None, environ={})
    terminal.result(["x"])
    terminal.say("x")
    terminal.foreign(1, b"x")
    assert not terminal.interactive
    assert not terminal.ask("x?")


@pytest.mark.parametrize(
    ("answer", "agreed"), [("y\n", True), ("YES\n", True), ("n\n", False), ("\n", False), ("", False)]
)
def test_only_a_yes_is_a_yes(answer: str, agreed: bool) -> None:
    stdin = Screen(terminal=True)
    stdin.write(answer)
    stdin.seek(0)
    err = Screen(terminal=True)
    assert make(stdin=stdin, err=err).ask("remove it?") is agreed
    assert "remove it?" in err.text


def test_foreign_bytes_are_untouched_in_a_pipe_and_harmless_on_a_terminal() -> None:
    pipe, screen = Screen(), Screen(terminal=True)
    data = b"\xff\x1b]0;x\x07ok\x07\n"
    make(out=pipe).foreign(1, data)
    make(out=screen).foreign(1, data)
    assert pipe.buffer.getvalue() == data  # type: ignore[attr-defined]
    assert screen.text == "\ufffdok\\x07\n"


def test_a_step_in_a_pipe_is_two_plain_lines() -> None:
    err = Screen()
    reporter = TerminalReporter(make(err=err), verbose=False, clock=Clock(0, 3.2))
    with reporter.step("system packages") as progress:
        progress.output("Setting up x")
    assert err.text == "· system packages\n✓ system packages (3.2 s)\n"


def test_a_step_that_fails_is_marked_and_the_failure_goes_on() -> None:
    err = Screen()
    reporter = TerminalReporter(make(err=err, environ={"LANG": "C"}), verbose=False, clock=Clock(0, 1))
    with pytest.raises(ValueError, match="x"), reporter.step("python"):
        raise ValueError("x")
    assert err.text == "- python\nfailed: python (1.0 s)\n"


def test_steps_within_steps_are_indented_and_verbose_shows_their_output() -> None:
    err = Screen()
    reporter = TerminalReporter(make(err=err, environ={"LANG": "C"}), verbose=True, clock=Clock(0, 0, 1, 2))
    with reporter.step("outer"), reporter.step("inner") as progress:
        progress.output("\x1b[1mword\x07\n")
        reporter.debug("docker ps")
    assert err.text.splitlines() == [
        "- outer",
        "  - inner",
        "    | word\\x07",
        "+ docker ps",
        "  ok inner (1.0 s)",
        "ok outer (2.0 s)",
    ]


def test_quiet_says_nothing_and_debug_needs_verbose() -> None:
    err = Screen()
    quiet = make_reporter(make(err=err), quiet=True, verbose=True)
    quiet.note("x")
    quiet.warn("x")
    quiet.debug("x")
    with quiet.step("x") as progress:
        progress.output("y")
    make_reporter(make(err=err), quiet=False, verbose=False).debug("x")
    assert err.text == ""


def test_notes_and_warnings_cannot_forge_lines() -> None:
    err = Screen()
    reporter = make_reporter(make(err=err), quiet=False, verbose=False)
    reporter.note("a\nb")
    reporter.warn("c\x1b[2J")
    assert err.text == "note: a\\x0ab\nwarning: c\\x1b[2J\n"


def test_on_a_terminal_steps_are_live_and_leave_one_line_each() -> None:
    err = Screen(terminal=True)
    terminal = make(err=err, environ={"TERM": "xterm", "LANG": "C.UTF-8", "NO_COLOR": "1"})
    reporter = make_reporter(terminal, quiet=False, verbose=False)
    with reporter.step("build"):
        assert terminal.surface is not None
        with reporter.pause():
            assert terminal.surface is None
        reporter.note("above it")
    assert terminal.surface is None
    assert "✓ build (" in err.text
    assert "note: above it" in err.text
    assert "\x1b[?25h" in err.text  # the cursor is back


def test_what_is_live_is_cut_to_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    from devbox.cli.live import RichArea

    err = Screen(terminal=True)
    area = RichArea(make(err=err))
    console = Console(file=io.StringIO(), width=20, force_terminal=False)
    with area.step("a title that is much too long for it") as progress:
        progress.output("and a line of output \x1b[31mthat is too long\n")
        with console.capture() as capture:
            console.print(area)
    lines = capture.get().rstrip("\n").split("\n")
    assert len(lines) == 2
    assert all(len(line) <= 20 for line in lines)
    assert lines[1].startswith("  and a line of")
