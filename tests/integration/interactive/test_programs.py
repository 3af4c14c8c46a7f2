"""Full-screen programs and a REPL in `devbox shell`, as a person uses them."""

import re

import pytest

from tests.integration.interactive.conftest import Place
from tests.support.screen import Screen, until

pytestmark = pytest.mark.docker


def test_vim_saves_a_file_of_the_person_and_leaves_the_screen_as_it_was(place: Place, shell: Screen) -> None:
    shell.ask("echo seen before")
    before = shell.shown()
    shell.enter("vim notes.txt")
    shell.until(r'"notes\.txt" \[New\]')
    assert shell.state("alternate_on") == "1"
    shell.type("ifirst line")
    shell.press("Enter")
    shell.type("second, naïve 線")
    shell.until("^second, naïve 線$")
    shell.press("Escape")
    shell.until_gone("-- INSERT --")
    shell.type("kx")
    shell.enter(":wq")
    shell.until_prompt("in 3>")
    assert shell.shown() == f"{before} vim notes.txt\nin 3>"
    assert shell.state("alternate_on") == "0"
    assert place.content("notes.txt").decode() == "first lin\nsecond, naïve 線\n"
    made = (place.devbox.directory / "notes.txt").stat()
    assert (made.st_uid, made.st_gid) == (place.devbox.account.uid, place.devbox.account.gid)


def test_vim_stops_at_ctrl_z_and_draws_itself_again(place: Place, shell: Screen) -> None:
    shell.enter("vim '+set laststatus=2 statusline=[%{&lines}x%{&columns}]' notes.txt")
    shell.until(r"^\[24x80\]")
    shell.type("iunsaved")
    shell.press("Escape")
    shell.until_gone("-- INSERT --")
    shell.press("C-z")
    shell.until(r"\[1\]\+ +Stopped +vim")
    shell.until_prompt("in 2>")
    shell.enter("fg")
    shell.until("^unsaved$")
    shell.until(r"^\[24x80\]")
    shell.enter(":q!")
    shell.until_prompt("in 3>")


def test_vim_is_drawn_anew_for_another_size(place: Place, shell: Screen) -> None:
    shell.enter("vim '+set laststatus=2 statusline=[%{&lines}x%{&columns}]' long.txt")
    shell.until(r"^\[24x80\]")
    shell.resize(rows=40, columns=132)
    assert shell.until(r"^\[40x132\]").splitlines()[38].startswith("[40x132]")
    shell.resize(rows=10, columns=50)
    assert shell.until(r"^\[10x50\]").splitlines()[8].startswith("[10x50]")
    shell.enter(":q!")
    shell.until_prompt("in 2>")


def test_top_refreshes_and_quits(place: Place, shell: Screen) -> None:
    shell.enter("top -d 0.5")
    first = shell.until(r"^top - \d\d:\d\d:\d\d").splitlines()[0]
    shell.until(r"^ +\d+ +.* top *$")
    until(lambda: shell.shown().splitlines()[0], lambda line: line.startswith("top - ") and line[:14] != first[:14])
    shell.press("q")
    shell.until_prompt("in 2>")
    assert shell.ask("echo status $?") == "status 0"


def test_less_pages_searches_and_takes_another_size(place: Place, shell: Screen) -> None:
    (place.devbox.directory / "numbers").write_text("".join(f"{number}\n" for number in range(1, 1001)))
    shell.enter("less numbers")
    assert shell.until("^numbers").splitlines()[:23] == [str(number) for number in range(1, 24)]
    shell.press("Space")
    shell.until("^46$")
    shell.press("b")
    shell.until("^1$")
    shell.enter("/^777$")
    assert shell.until("^799$").splitlines()[0] == "777"
    shell.resize(rows=34, columns=60)
    assert shell.until("^809$").splitlines()[:33] == [str(number) for number in range(777, 810)]
    shell.type("G")
    shell.until(r"^\(END\)$")
    shell.press("q")
    shell.until_prompt("in 2>")


def test_less_reads_its_keys_from_the_terminal_when_its_text_comes_through_a_pipe(place: Place, shell: Screen) -> None:
    shell.enter("seq 1000 | less")
    shell.until("^23$")
    shell.press("Space")
    shell.until("^46$")
    shell.press("q")
    shell.until_prompt("in 2>")


def test_a_python_repl_edits_its_history_and_survives_ctrl_c(place: Place, shell: Screen) -> None:
    shell.enter("python3 -q")
    shell.until_prompt(">>>")
    shell.enter("print('a' * 3)")
    shell.until("^aaa$")
    shell.press("Up", "Left", "BSpace")
    shell.type("5")
    shell.press("Home", "Delete", "Delete")
    shell.type("p")
    shell.type("r")
    shell.press("Enter")
    shell.until("^aaaaa$")
    shell.type("a half line")
    shell.press("C-c")
    shell.until("^KeyboardInterrupt$")
    shell.until_prompt(">>>")
    shell.enter("import time; print('as' + 'leep'); time.sleep(1000)")
    shell.until("^asleep$")
    shell.press("C-c")
    shell.until_prompt(">>>")
    assert len(re.findall("^KeyboardInterrupt$", shell.shown(), re.MULTILINE)) == 2
    shell.press("C-d")
    shell.until_prompt("in 2>")
