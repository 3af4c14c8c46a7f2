"""Text that goes in and comes out byte for byte: long lines, pastes, UTF-8."""

import random
import string

import pytest

from tests.integration.interactive.conftest import Place
from tests.support.screen import Screen, until

pytestmark = pytest.mark.docker

LONG = "".join(random.Random(7).choices(string.ascii_letters + string.digits + " !#$%&()*+,-./:;<=>?@[]^_{|}~", k=300))
# Composed and combining accents, a family of four joined by zero-width joiners, a flag, CJK, right to left.
MANY = "naïve cafe\u0301 👩\u200d👩\u200d👧\u200d👦 🇨🇭 日本語 שלום"
RAW = """\
import os, sys, tty, termios
before = termios.tcgetattr(0)
tty.setraw(0)
os.write(1, b"\\x1b[?2004h" if sys.argv[1] == "on" else b"\\x1b[?2004l")
os.write(1, b"re" b"ady\\r\\n")
wanted, got = int(sys.argv[2]), b""
while len(got) < wanted:
    got += os.read(0, 65536)
open("got", "wb").write(got)
os.write(1, b"\\x1b[?2004l")
termios.tcsetattr(0, termios.TCSADRAIN, before)
"""
BEGIN, END = b"\x1b[200~", b"\x1b[201~"


@pytest.mark.parametrize("brackets", [True, False], ids=["in brackets", "without"])
@pytest.mark.parametrize("text", [LONG, f"{LONG}\n{MANY}\n\ttab\n" * 100], ids=["a line of 300", "37 KB"])
def test_a_paste_arrives_byte_for_byte(place: Place, shell: Screen, text: str, brackets: bool) -> None:
    (place.devbox.directory / "raw.py").write_text(RAW)
    expected = BEGIN + text.encode() + END if brackets else text.encode()
    shell.enter(f"python3 raw.py {'on' if brackets else 'off'} {len(expected)}")
    shell.until("^ready$")
    shell.paste(text)
    shell.until_prompt("in 2>")
    assert place.content("got") == expected


def test_a_pasted_command_of_300_columns_waits_for_enter(place: Place, shell: Screen) -> None:
    word = LONG.replace("'", "").replace("!", "")
    shell.paste(f"printf %s '{word}' >pasted\necho second line")
    shell.until("second line$")
    assert not place.content("pasted")
    shell.press("Enter")
    shell.until("^second line$")
    assert place.content("pasted").decode() == word


def test_a_paste_into_a_plain_program_comes_line_by_line(place: Place, shell: Screen) -> None:
    shell.enter("cat >plain; echo en''d")
    place.until_there("cat")
    shell.paste(f"{LONG}\n{MANY}\n")
    shell.press("C-d")
    shell.until("^end$")
    assert place.content("plain").decode() == f"{LONG}\n{MANY}\n"


def test_a_paste_into_vim_is_not_indented(place: Place, shell: Screen) -> None:
    text = "if (a) {\n    b\n        c\n}\n"
    shell.enter("vim '+set autoindent' indented.txt")
    shell.until(r'"indented\.txt" \[New\]')
    shell.type("i")
    shell.until("-- INSERT")
    shell.paste(text)
    shell.until("^}$")
    shell.press("Escape")
    shell.until_gone("-- INSERT")
    shell.enter(":wq")
    shell.until_prompt("in 2>")
    assert place.content("indented.txt").decode().rstrip("\n") == text.rstrip("\n")


def test_utf_8_is_typed_and_printed(place: Place, shell: Screen) -> None:
    shell.enter(f"echo '{MANY}' | tee typed")
    shell.until_prompt("in 2>")
    assert place.content("typed").decode() == f"{MANY}\n"
    assert shell.ask("echo 'naïve 日本語'") == "naïve 日本語"
    assert shell.ask("printf '%s' 日本語 | wc -m") == "3"


def test_backspace_in_the_shell_takes_whole_characters(place: Place, shell: Screen) -> None:
    shell.type("echo '日本語x👍é")
    for _ in "x👍é":
        shell.press("BSpace")
    shell.press("BSpace")
    shell.type("ne\u0301")
    shell.press("BSpace")
    shell.enter("o' >erased")
    shell.until_prompt("in 2>")
    assert place.content("erased").decode() == "日本no\n"


def test_backspace_in_a_plain_program_takes_whole_characters(place: Place, shell: Screen) -> None:
    shell.enter("cat >erased; echo en''d")
    place.until_there("cat")
    shell.type("日本é👍")
    shell.press("BSpace", "BSpace", "BSpace", "Enter", "C-d")
    shell.until("^end$")
    assert place.content("erased").decode() == "日\n"


def test_much_utf_8_is_not_broken_between_two_pieces(place: Place, shell: Screen) -> None:
    shell.enter("python3 -c 'print(\"日本語\" * 100_000)'; echo en''d")
    shell.until("^end$")
    lines = shell.shown().splitlines()
    whole = "".join(lines[: lines.index("end")])
    assert set(whole) == set("日本語")
    until(shell.last, lambda last: last == "in 2>")
