"""The size of the terminal, from the first byte on and after each change."""

import pytest

from tests.integration.interactive.conftest import Opener, Place
from tests.support.screen import Screen, until

pytestmark = pytest.mark.docker


def test_the_size_is_right_from_the_start(place: Place, outside: Opener) -> None:
    screen = outside(rows=31, columns=211)
    assert screen.ask("devbox shell -- stty size") == "31 211"
    screen.enter("devbox shell")
    screen.until_prompt("in 1>")
    assert screen.ask("echo $LINES $COLUMNS $(tput lines) $(tput cols)") == "31 211 31 211"


def test_a_program_that_runs_hears_of_another_size(place: Place, shell: Screen) -> None:
    program = """\
import os, signal
def tell(*_):
    print("size", *os.get_terminal_size(), flush=True)
signal.signal(signal.SIGWINCH, tell)
tell()
while True:
    signal.pause()
"""
    (place.devbox.directory / "size.py").write_text(program)
    shell.enter("python3 size.py")
    shell.until("^size 80 24$")
    shell.resize(rows=41, columns=77)
    shell.until("^size 77 41$")
    shell.resize(rows=24, columns=120)
    shell.until("^size 120 24$")
    shell.press("C-c")
    shell.until_prompt("in 2>")


def test_the_shell_knows_the_new_size_at_its_next_command(place: Place, shell: Screen) -> None:
    shell.resize(rows=33, columns=99)
    until(lambda: shell.ask("stty size"), lambda size: size == "33 99")
    shell.ask("/bin/true")
    assert shell.ask("echo $LINES $COLUMNS") == "33 99"


def test_of_many_changes_in_a_row_the_last_one_counts(place: Place, shell: Screen) -> None:
    for step in range(30):
        shell.resize(rows=20 + step, columns=60 + 2 * step)
    until(lambda: shell.ask("stty size"), lambda size: size == "49 118")


def test_a_change_while_the_environment_comes_up_is_not_lost(place: Place, host: Screen) -> None:
    host.enter("devbox shell")
    host.resize(rows=28, columns=84)
    host.until_prompt("in 1>")
    until(lambda: host.ask("stty size"), lambda size: size == "28 84")
