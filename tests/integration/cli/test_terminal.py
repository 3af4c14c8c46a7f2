"""What a person meets at a terminal, on the real engine: progress, questions, the shell, Ctrl-C."""

import contextlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from devbox.engine.discovery import connect
from devbox.process import HostProcesses
from devbox.reporter import SilentReporter
from tests.support.account import invoker
from tests.support.command import Devbox, left_over
from tests.support.images import TINY, tiny_image
from tests.support.project import project

pytestmark = pytest.mark.docker

PROFILE = f'name = "shop"\n[base]\nimage = "{TINY}"\n[user]\nshell = "sh"\n'
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def devbox() -> Iterator[Devbox]:
    reporter = SilentReporter()
    with project(invoker()) as found:
        with contextlib.closing(connect(found.environment, HostProcesses(reporter), reporter)) as engine:
            tiny_image(engine)
        (found.directory / "devbox.toml").write_text(PROFILE)
        yield found


@contextlib.contextmanager
def terminal(devbox: Devbox, *words: str, **variables: str) -> Iterator["pexpect.spawn[str]"]:
    """Run one command line on a terminal of 30 rows and 90 columns."""
    child = pexpect.spawn(
        devbox.account.python or sys.executable,
        ["-m", "devbox", *words],
        cwd=str(devbox.directory),
        env={**devbox.environment, "TERM": "xterm", "LANG": "C.UTF-8", **variables},
        dimensions=(30, 90),
        encoding="utf-8",
        timeout=120,
    )
    try:
        yield child
    finally:
        child.close(force=True)


def end(child: "pexpect.spawn[str]") -> tuple[int, str]:
    """Wait for the end; return the exit status and all that was shown since the last match."""
    child.expect(pexpect.EOF)
    child.wait()
    return child.exitstatus if child.exitstatus is not None else 128 + (child.signalstatus or 0), child.before or ""


def test_up_shows_each_step_with_a_mark_and_its_time_and_then_what_to_type(devbox: Devbox) -> None:
    with terminal(devbox, "up") as child:
        status, shown = end(child)
    plain = COLOUR.sub("", shown)
    assert status == 0, plain
    assert re.search(r"✓ .* \(\d+\.\d s\)", plain)
    assert "next: devbox shell" in plain
    assert "\x1b[?25h" in shown  # the cursor is back
    with terminal(devbox, "up") as child:
        assert end(child) == (0, "nothing to do\r\n")


@pytest.mark.parametrize(
    ("variables", "escapes"), [({"TERM": "dumb"}, False), ({"TERM": ""}, False), ({"NO_COLOR": "1"}, True)]
)
def test_colours_and_movement_only_where_they_are_wanted(
    devbox: Devbox, variables: dict[str, str], escapes: bool
) -> None:
    with terminal(devbox, "up", **variables) as child:
        status, shown = end(child)
    assert status == 0, shown
    assert not COLOUR.search(shown.replace("\x1b[0m", ""))
    assert ("\x1b" in shown) is escapes


def test_without_a_unicode_locale_the_marks_are_ascii(devbox: Devbox) -> None:
    with terminal(devbox, "up", LC_ALL="C") as child:
        status, shown = end(child)
    assert status == 0
    assert shown.isascii()
    assert "ok " in COLOUR.sub("", shown)


def test_destroy_asks_and_takes_no_for_an_answer(devbox: Devbox) -> None:
    devbox("up")
    with terminal(devbox, "destroy") as child:
        child.expect(r"remove it\?.*\[y/N\] ")
        child.sendline("n")
        status, shown = end(child)
    assert status == 2
    assert "error[not-confirmed]" in COLOUR.sub("", shown)
    assert left_over(devbox.hash)
    with terminal(devbox, "destroy") as child:
        child.expect("this removes:")
        child.expect(r"container devbox-a-project-")
        child.expect(r"remove it\?")
        child.sendline("y")
        assert end(child)[0] == 0
    assert left_over(devbox.hash) == []


def test_no_input_is_never_asked_on_a_terminal_either(devbox: Devbox) -> None:
    with terminal(devbox, "--no-input", "destroy") as child:
        status, shown = end(child)
    assert status == 2
    assert "[y/N]" not in shown


def test_trust_shows_the_difference_and_asks(devbox: Devbox, tmp_path: Path) -> None:
    profile = devbox.directory / "devbox.toml"
    profile.write_text(PROFILE + '[env]\nfrom_host = ["AWS_PROFILE"]\n')
    with terminal(devbox, "trust") as child:
        child.expect(r"\+ env.from_host AWS_PROFILE")
        child.expect(r"agree to this\?")
        child.sendline("yes")
        assert end(child)[0] == 0
    profile.write_text(PROFILE + '[env]\nfrom_host = ["HOME"]\n')
    with terminal(devbox, "trust") as child:
        child.expect("- env.from_host AWS_PROFILE")
        child.expect(r"\+ env.from_host HOME")
        child.expect(r"agree to this\?")
        child.sendeof()
        assert end(child)[0] == 2


def test_a_shell_is_a_terminal_inside(devbox: Devbox) -> None:
    with terminal(devbox, "-q", "shell") as child:
        child.expect(r"[#$] ")
        child.sendline("stty size; pwd")
        child.expect("30 90\r\n/workspaces/a project\r\n")
        child.setwinsize(41, 77)
        child.expect(r"[#$] ")
        child.sendline("stty size")
        child.expect("41 77")
        child.expect(r"[#$] ")
        child.sendline("sh -c 'echo now; exec /bin/sleep 1000'")
        child.expect("\nnow\r\n")
        child.sendintr()
        child.expect(r"[#$] ")
        child.sendline("echo status $?")
        child.expect("status 130")
        child.expect(r"[#$] ")
        child.sendline("exit 9")
        assert end(child)[0] == 9


def test_ctrl_c_in_a_build_step_cleans_up(devbox: Devbox) -> None:
    step = '[[provision]]\nname = "slow"\nrun = "echo it is running; sleep 1000"\nwhen = "build"\n'
    (devbox.directory / "devbox.toml").write_text(PROFILE + step)
    with terminal(devbox, "up") as child:
        child.expect("it is running")
        child.sendintr()
        status, shown = end(child)
    assert status == 130
    assert "error[interrupted]" in COLOUR.sub("", shown)
    assert left_over(devbox.hash) == []


@pytest.mark.parametrize(
    ("words", "first", "rest"),
    [
        (("port", "--watch"), "nothing listens inside\r\n", ""),
        # The first process says nothing; its stream is open by then.
        (("-v", "logs", "-f"), "follow=1", r".*\r\n"),
        (("logs", "--supervisor", "-f"), "devbox supervisor", rf".*\r\n({TIME} .*\r\n)*"),
    ],
)
def test_what_goes_on_until_ctrl_c_ends_by_it_without_a_word(
    devbox: Devbox, words: tuple[str, ...], first: str, rest: str
) -> None:
    (devbox.directory / "devbox.toml").write_text(PROFILE + "[ports]\nweb = { guest = 8000, host = 0 }\n")
    devbox("up")
    with terminal(devbox, *words) as child:
        child.expect_exact(first)
        child.setecho(False)  # a "^C" is not shown where what it ends is gone before
        child.sendintr()
        status, shown = end(child)
    assert status == 130
    assert re.fullmatch(rest, shown), shown
