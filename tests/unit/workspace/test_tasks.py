import shlex

import pytest

from devbox.workspace.tasks import command_line


@pytest.mark.parametrize("args", [["-k", "a b"], ["'"], ["$HOME", "`id`", "*"], [""], ["a\nb", "\\"], ["--"], ["ä"]])
def test_arguments_stand_behind_the_command_as_one_word_each(args: list[str]) -> None:
    assert shlex.split(command_line("pytest -q\n", args)) == ["pytest", "-q", *args]


def test_a_command_without_arguments_is_what_is_written() -> None:
    assert command_line("a &&\n  b\n", []) == "a &&\n  b\n"
