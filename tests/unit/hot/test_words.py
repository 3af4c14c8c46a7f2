"""Command lines that the hot path understands mean what they mean to the whole command line; the others are left."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbox.cli.group import make_command
from devbox.cli.invocation import Invocation, real_host
from devbox.cli.terminal import Terminal
from devbox.hot.words import Words, parse


def parsed(*arguments: str) -> Words:
    words = parse(arguments)
    assert words is not None
    return words


def test_a_command_is_everything_from_its_first_word_on() -> None:
    assert parsed("exec", "ls", "-l", "--", "-x").argv == ["ls", "-l", "--", "-x"]
    assert parsed("exec", "--", "-x", "--json").argv == ["-x", "--json"]
    assert parsed("exec", "--", "--", "x").argv == ["--", "x"]
    assert parsed("shell", "--", "true").verb == "shell"
    assert parsed("ssh").argv == []


def test_global_options_stand_before_and_after_the_verb() -> None:
    words = parsed("-q", "--project", "a", "status", "--json", "--project=b", "--no-input")
    assert (words.quiet, words.json, words.no_input, words.project) == (True, True, True, "b")


def test_options_of_exec() -> None:
    words = parsed("exec", "-d", "-u", "1:2", "--workdir=/tmp", "-e", "A=1=2", "--env", "B=", "-w", "/", "true")
    assert words.detach
    assert (words.user, words.workdir, words.env, words.argv) == ("1:2", "/", ["A=1=2", "B="], ["true"])


NOT_PLAIN = """
|up now|status x|halt|exec|exec --|exec -d|shell --failed|shell --set a=b|up --set a=b|-v up|up -v|status --version
exec --help|-h exec|shell -d -- true|shell -u root -- true|exec -uroot -- true|exec -dq -- true|exec -u
exec -u=root -- true|-q=1 up|--json=1 status|exec -u -x -- true|exec -w tmp -- true|exec -w /a/../b -- true
exec -w /a/ -- true|exec -w //a -- true|exec -w /proc/1 -- true|exec -w /dev -- true|exec -e A -- true
exec -e =1 -- true|exec -e 1A=1 -- true|exec -e A-B=1 -- true|exec -e é=1 -- true|-C ~ up|-C|--project= up
-- exec true|exec --envs A=1 x
"""


@pytest.mark.parametrize("line", NOT_PLAIN.strip("\n").replace("\n", "|").split("|"))
def test_all_others_are_left_to_the_whole_command_line(line: str) -> None:
    assert parse(line.split()) is None


WORDS = ["exec", "shell", "ssh", "up", "status", "--", "-q", "--json", "-C", ".", "-d", "-u", "root", "-e", "A=1", "-w"]
WORDS += ["/tmp", "--user=me", "--env", "--workdir", "--project", "ls", "-l", "-v", "--no-input", "--detach", "x y"]


@given(st.lists(st.sampled_from(WORDS), max_size=7))
def test_what_is_understood_is_understood_by_the_whole_command_line_in_the_same_way(arguments: list[str]) -> None:
    words = parse(arguments)
    if words is None:
        return
    invocation = Invocation(terminal=Terminal(stdin=None, stdout=None, stderr=None, environ={}), host_factory=real_host)
    seen: dict[str, Any] = {}
    command = make_command()
    with command.make_context("devbox", list(arguments), obj=invocation) as context:
        name, verb, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        assert verb is not None
        with verb.make_context(name, rest, parent=context) as inner:
            seen.update(inner.params)
        before = context.params
    own = {option: seen[option] or before[option] for option in ("project", "quiet", "json", "no_input")}
    own |= {option: seen[option] for option in ("detach", "user", "workdir") if option in seen}
    assert own == {option: getattr(words, option) for option in own}
    assert not seen["verbose"] | before["verbose"]
    assert list(seen.get("argv", ())) == words.argv
    assert list(seen.get("env", ())) == words.env
