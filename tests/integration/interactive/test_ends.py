"""How a session ends: by itself, by a kill of the client, by a closed terminal; and what stays of it."""

import os
import signal

import pytest

from tests.integration.interactive.conftest import Opener, Place
from tests.support.screen import Screen

pytestmark = pytest.mark.docker


def test_exit_7_is_7_and_the_terminal_is_as_it_was(place: Place, host: Screen) -> None:
    host.ask("stty -a >before")
    host.enter("devbox shell; echo status $?; stty -a >after")
    host.until_prompt("in 1>")
    host.ask("stty -a >inside")
    host.enter("stty -echo raw; printf '\\e[?2004l'; exit 7")
    host.until("^ *status 7$")
    host.until_prompt("host 3>")
    assert place.content("before") == place.content("after")
    assert b"speed" in place.content("before")
    assert host.ask("echo still $((40 + 2))") == "still 42"


def test_a_command_has_the_terminal_and_gives_its_exit_code(place: Place, host: Screen) -> None:
    said = host.ask("devbox shell -- sh -c 'test -t 0 && test -t 1 && test -t 2 && stty size; exit 5'; echo status $?")
    assert said == "24 80\nstatus 5"
    host.enter("devbox shell -- sleep 4201; echo status $?")
    place.until_there("sleep 4201")
    host.press("C-z")  # a job without a shell above it cannot be stopped
    host.press("C-c")
    host.until("^(.*)status 130$")
    host.until_prompt("host 3>")
    host.enter("devbox exec -- vim -u NONE '+set laststatus=2 statusline=[%{&lines}x%{&columns}]'")
    host.until(r"^\[24x80\]")
    host.enter(":q!")
    host.until_prompt("host 4>")


def test_kill_9_of_the_client_takes_its_processes_along(place: Place, shell: Screen) -> None:
    shell.ask("sleep 4202 & nohup sleep 4203 >/dev/null 2>&1 &")
    shell.ask("sh -c 'trap \"\" HUP TERM; sleep 4204' & setsid -f sleep 4205")
    shell.enter("sh -c 'trap \"\" INT QUIT; stty raw -echo; sleep 4206'")
    place.until_there("sleep 4206")
    for number in (4202, 4203, 4204, 4205):
        place.until_there(f"sleep {number}")
    os.kill(place.client(), signal.SIGKILL)
    shell.until("Killed")
    for number in (4202, 4203, 4204, 4206):
        place.until_gone(f"sleep {number}")
    place.until_there("sleep 4205")  # a session of its own is nobody's child
    place.devbox("exec", "--", "pkill", "-f", "sleep 4205")
    shell.press("C-c")
    shell.enter("stty sane; clear")
    shell.until(r"^host \d+>$")
    assert shell.ask("echo still $((40 + 2))") == "still 42"
    shell.enter("devbox shell")
    shell.until_prompt("in 1>")
    assert shell.ask("echo again $((40 + 2))") == "again 42"


def test_kill_of_the_client_restores_the_terminal(place: Place, host: Screen) -> None:
    host.ask("stty -a >before")
    host.enter('devbox exec -- sh -c \'trap "" HUP; echo re""ady; exec sleep 4207\'; echo status $?; stty -a >after')
    host.until("^ready$")
    place.until_there("sleep 4207")
    os.kill(place.client(), signal.SIGTERM)
    host.until("^status 143$")
    host.until_prompt("host 3>")
    assert place.content("before") == place.content("after")


def test_a_closed_terminal_takes_its_processes_along(place: Place, shell: Screen) -> None:
    shell.ask("sleep 4208 & sh -c 'trap \"\" HUP TERM; sleep 4213' &")
    shell.enter("sleep 4209")
    place.until_there("sleep 4209")
    place.until_there("sleep 4213")
    client = place.client()
    shell.close()
    place.until_gone()
    assert not _runs(client)


def test_a_closed_terminal_takes_vim_along_which_keeps_what_was_not_saved(place: Place, shell: Screen) -> None:
    shell.enter("vim lost.txt")
    shell.until(r'"lost\.txt" \[New\]')
    shell.type("iwords that were not saved")
    shell.until("not saved$")
    shell.close()
    place.until_gone("vim")
    assert b"words that were not saved" in place.content(".lost.txt.swp")
    (place.devbox.directory / ".lost.txt.swp").unlink()


def test_two_shells_at_once_know_nothing_of_each_other(place: Place, outside: Opener) -> None:
    one, two = outside(), outside(rows=30, columns=100)
    for screen in (one, two):
        screen.enter("devbox shell")
        screen.until_prompt("in 1>")
    one.ask("name=first; stty size")
    two.ask("name=second")
    assert one.ask("echo $name $(stty size)") == "first 24 80"
    assert two.ask("echo $name $(stty size)") == "second 30 100"
    two.enter("sleep 4210")
    place.until_there("sleep 4210")
    one.press("C-c")
    one.press("C-d")
    one.until_prompt("host 2>")
    place.until_there("sleep 4210")
    two.press("C-c")
    two.until_prompt("in 4>")


def test_in_a_pipeline_there_is_no_terminal_and_no_terminal_mode(place: Place, host: Screen) -> None:
    said = host.ask(
        "echo words | devbox exec -- sh -c 'test -t 0 || tr a-z A-Z; test -t 1 || echo no >&2' | sed s/^/p:/"
    )
    assert sorted(said.splitlines()) == ["no", "p:WORDS"]
    assert host.ask("printf 'a\\r\\n\\004\\003b' | devbox exec -- od -An -c | cat") == "   a  \\r  \\n 004 003   b"
    host.enter("devbox exec -- sh -c 'echo re\"\"ady; exec sleep 4211' | cat")
    host.until("^ready$")
    host.press("C-c")
    host.until_prompt("host 4>")
    assert host.ask("echo ${PIPESTATUS[*]}").startswith("130 ")
    place.until_gone("sleep 4211")


def test_a_shell_inside_a_shell_inside(place: Place, shell: Screen) -> None:
    shell.enter("bash --norc")
    shell.until(r"bash-5\S+\$$|#$")
    shell.enter("sleep 4212")
    place.until_there("sleep 4212")
    shell.press("C-c")
    place.until_gone("sleep 4212")
    shell.enter("exit 3")
    shell.until_prompt("in 2>")
    assert shell.ask("echo status $?") == "status 3"


def test_a_stopped_client_goes_on_where_it_was(place: Place, shell: Screen) -> None:
    os.kill(place.client(), signal.SIGSTOP)
    shell.until(r"^\[1\]\+ +Stopped +devbox shell$")
    shell.resize(rows=30, columns=100)
    shell.until(r"^host 2>$")
    assert shell.ask("stty -a").count(" icanon ") == 1
    shell.enter("fg")
    shell.until("^devbox shell$")
    shell.enter("echo back $((40 + 2))")
    shell.until("^back 42$")
    shell.until_prompt("in 2>")
    assert shell.ask("stty size") == "30 100"
    shell.enter("sleep 4214")
    place.until_there("sleep 4214")
    shell.press("C-c")
    shell.until_prompt("in 4>")
    shell.enter("exit")
    shell.until_prompt("host 4>")


def test_halt_ends_the_session_and_restores_the_terminal(place: Place, host: Screen) -> None:
    host.ask("stty -a >before")
    host.enter("devbox shell; echo ended; stty -a >after")
    host.until_prompt("in 1>")
    place.devbox("halt")
    host.until(r"(^|in 1> )ended$")
    host.until_prompt("host 3>")
    assert place.content("before") == place.content("after")
    host.enter("devbox shell")
    host.until_prompt("in 1>")


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
