"""Tasks on the real engine: where they run, what they are given, and what becomes of their needs."""

import pytest

from tests.integration.workspace.conftest import write
from tests.support.command import Devbox

pytestmark = pytest.mark.docker

TASKS = r"""
[env]
WORD = "of the profile"
[tasks]
where = "pwd; id -u; printf '%s\n' \"$WORD\""
words = "printf '<%s>\n' first"
early = "echo early >>order; cat"
late = { run = "echo late >>order; cat", needs = ["early"] }
both = { run = "echo both >>order", needs = ["late", "early"] }
killed = "kill -TERM $$"
missing = "no-such-program"
blocked = { run = "echo blocked >>order", needs = ["killed"] }
"""


@pytest.fixture
def tasked(devbox: Devbox) -> Devbox:
    write(devbox, TASKS)
    return devbox


def test_tasks_run_in_the_project_as_the_user_with_what_is_written(tasked: Devbox) -> None:
    below = tasked.directory / "below"
    below.mkdir()
    place, uid, word = tasked("-C", str(below.parent), "run", "where").stdout.splitlines()
    assert (place, uid, word) == ("/workspaces/a project", str(tasked.account.uid), "of the profile")
    shown = tasked("run", "words", "--", "a b", "$HOME", "'", "-x").stdout
    assert shown.splitlines() == ["<first>", "<a b>", "<$HOME>", "<'>", "<-x>"]

    order = tasked.directory / "order"
    tasked("run", "both")
    assert order.read_text().split() == ["early", "late", "both"]
    order.unlink()
    assert tasked("run", "late", given="for the last alone").stdout == "for the last alone"
    assert order.read_text().split() == ["early", "late"]

    order.unlink()
    done = tasked("run", "blocked", status=143)
    assert "killed ended with 143, so blocked was not run" in done.stderr
    assert not order.exists()
    tasked("run", "missing", status=127)


def test_another_task_is_there_at_once_and_makes_nothing_anew(tasked: Devbox) -> None:
    tasked("up")
    before = tasked.json("status")
    write(tasked, TASKS.replace("first", "second"))
    assert tasked.json("status") == before
    assert tasked("run", "words").stdout == "<second>\n"
    assert "nothing to do" in tasked("up").stdout
    after = tasked.json("status")
    assert (after["instance"], after["image"], after["stale"]) == (before["instance"], before["image"], False)
