"""Keys that the terminal gives a meaning: interrupt, quit, stop and go on, end of file, hold the output."""

import pytest

from tests.integration.interactive.conftest import Place
from tests.support.screen import Screen

pytestmark = pytest.mark.docker


def test_ctrl_c_ends_what_is_in_the_foreground_and_the_shell_stays(place: Place, shell: Screen) -> None:
    shell.enter("sleep 4101")
    place.until_there("sleep 4101")
    shell.press("C-c")
    shell.until_prompt("in 2>")
    assert shell.ask("echo status $?") == "status 130"
    place.until_gone("sleep 4101")
    shell.type("a line that is given up")
    shell.press("C-c")
    shell.until(r"given up\^C$")
    shell.until_prompt("in 3>")


def test_ctrl_c_reaches_every_process_of_a_pipeline(place: Place, shell: Screen) -> None:
    shell.enter("sleep 4102 | sleep 4103 | cat")
    place.until_there("sleep 4103")
    shell.press("C-c")
    shell.until_prompt("in 2>")
    place.until_gone("sleep 410")


def test_a_program_that_handles_ctrl_c_goes_on(place: Place, shell: Screen) -> None:
    shell.enter('sh -c \'trap "echo caught" INT; echo re""ady; while read line; do echo "got $line"; done\'')
    shell.until("^ready$")
    shell.press("C-c")
    shell.until(r"^(\^C)?caught$")
    shell.press("C-c", "C-d")
    shell.until_prompt("in 2>")


def test_ctrl_z_stops_and_fg_and_bg_go_on(place: Place, shell: Screen) -> None:
    shell.enter("sleep 4104")
    place.until_there("sleep 4104")
    shell.press("C-z")
    shell.until_prompt("in 2>")
    assert shell.ask("jobs") == "[1]+  Stopped                 sleep 4104"
    assert shell.ask("bg") == "[1]+ sleep 4104 &"
    assert shell.ask("jobs") == "[1]+  Running                 sleep 4104 &"
    shell.enter("fg")
    shell.until("^sleep 4104$")
    shell.press("C-c")
    shell.until_prompt("in 6>")
    place.until_gone("sleep 4104")


def test_job_control_works_in_a_script(place: Place, shell: Screen) -> None:
    script = """\
set -m
sleep 4105 &
kill %1
wait %1
echo status $?
sh -c 'until [ -e go ]; do sleep 0.05; done; read word; echo "got $word"' &
fg
echo status $?
"""
    (place.devbox.directory / "jobs.sh").write_text(script)
    shell.enter("bash jobs.sh")
    shell.until("^sh -c 'until")  # by fg; what reads before it is stopped, and bash may take it so still
    (place.devbox.directory / "go").touch()
    shell.enter("typed")  # only the foreground may read it
    shell.until("^got typed$")
    shell.until("^status 0$")
    shell.until_prompt("in 2>")
    assert shell.ask("sh -c 'set -m; sleep 0.2 & fg; echo status $?'").splitlines() == ["sleep 0.2", "status 0"]


def test_ctrl_backslash_quits_the_program_and_not_devbox(place: Place, shell: Screen) -> None:
    shell.enter("sleep 4106")
    place.until_there("sleep 4106")
    shell.press("C-\\")
    shell.until_prompt("in 2>")
    assert shell.ask("echo status $?") == "status 131"


def test_ctrl_d_ends_the_shell(place: Place, shell: Screen) -> None:
    shell.ask("true")
    shell.press("C-d")
    shell.until_prompt("host 2>")
    assert shell.ask("echo status $?") == "status 0"


def test_ctrl_s_holds_the_output_and_ctrl_q_lets_it_go(place: Place, shell: Screen) -> None:
    shell.enter('echo re""ady; while read line; do echo $line >taken; echo got $line; done')
    shell.until("^ready$")  # a key that comes before the shell has left its own mode is a carriage return
    shell.type("one")
    shell.press("Enter")
    shell.until("^got one$")
    shell.press("C-s")
    shell.enter("two")
    place.until_content("taken", b"two\n")  # so the key before it has done its work
    assert place.devbox("exec", "--", "cat", "taken").stdout == "two\n"  # and what it printed had time to come
    assert "two" not in shell.shown()
    shell.press("C-q")
    shell.until("^got two$")
    shell.press("C-d")
    shell.until_prompt("in 2>")


def test_a_flood_of_output_is_interrupted_at_once(place: Place, shell: Screen) -> None:
    program = """\
import sys
line = "." * 70 + " %08d\\n"
number = 0
try:
    while True:
        sys.stdout.write(line % number)
        number += 1
except KeyboardInterrupt:
    print()  # the terminal's ^C may stand at the beginning of a line
    open("written", "w").write(str(number * 80))
"""
    (place.devbox.directory / "flood.py").write_text(program)
    shell.enter("python3 flood.py")
    shell.until(r"^\.+ (00(62[5-9]|6[3-9]|[7-9])|0[1-9])", within=60)  # 50 MB have been printed
    shell.press("C-c")
    shell.until_prompt("in 2>")
    assert int(place.content("written")) > 50_000_000
    assert shell.ask("echo status $?") == "status 0"
    assert shell.ask("stty size") == "24 80"


def test_what_is_typed_before_the_prompt_comes_is_not_lost(place: Place, host: Screen) -> None:
    host.type("devbox shell")
    host.press("Enter")
    host.enter("echo early $((40 + 2))")
    host.until("^early 42$")
    host.until_prompt("in 2>")


def test_a_password_is_not_shown(place: Place, shell: Screen) -> None:
    shell.enter("read -rsp 'password: ' word; echo; echo it has ${#word} letters, the last ${word: -1}")
    shell.until("^password:$")
    shell.type("s3cret-ü")
    shell.press("Enter")
    shell.until_prompt("in 2>")
    assert "it has 8 letters, the last ü" in shell.shown()
    assert "s3cret" not in shell.shown()


def test_the_terminal_inside_has_a_name_and_belongs_to_the_person(place: Place, shell: Screen) -> None:
    assert shell.ask("echo by its $(printf name) >$(tty)") == "by its name"
    assert shell.ask("stat -c %u $(tty)") == str(place.devbox.account.uid)
    assert shell.ask("echo to the $(printf session) >/dev/tty; echo to the $(printf error) >/dev/stderr") == (
        "to the session\nto the error"
    )
