"""Two machines of one project that is synced: what one changes comes to the host, and from there to the other."""

import pytest

from devbox.values import workspace_hash
from tests.integration.sync.conftest import TWO_WAY, eventually, has
from tests.integration.workspace.conftest import write
from tests.support.command import Devbox
from tests.support.supervisors import gone

pytestmark = pytest.mark.docker
RULE = '[[sync.on_change]]\npaths = ["watched"]\nrun = "mark"\n[tasks]\nmark = "hostname > seen-by-$(hostname)"\n'


def _in_worker(devbox: Devbox, script: str) -> str:
    return devbox("exec", "-m", "worker", "--", "sh", "-c", script).stdout.strip()


def test_what_one_changes_comes_to_the_other_by_the_host(devbox: Devbox) -> None:
    write(devbox, TWO_WAY + RULE + "[machines.worker]\n")
    devbox("up")
    assert _in_worker(devbox, "cat a.txt; echo two > a.txt; mkdir -p d; echo made > d/b.txt") == "one"
    assert has(devbox.directory / "a.txt", "two\n")
    assert devbox("exec", "--", "cat", "a.txt", "d/b.txt").stdout == "two\nmade\n"
    devbox("exec", "--", "sh", "-c", "rm d/b.txt; echo three > c.txt")
    assert _in_worker(devbox, "ls d; cat c.txt") == "three"
    for number in range(20):  # both at once, each its own file
        (devbox.directory / f"{number}.txt").write_text("from the host")
    devbox("exec", "-d", "--", "sh", "-c", "for n in 1 2 3 4 5; do echo one > one-$n; done")
    _in_worker(devbox, "for n in 1 2 3 4 5; do echo worker > worker-$n; done")
    names = {*(f"one-{n}" for n in range(1, 6)), *(f"worker-{n}" for n in range(1, 6))}
    eventually(lambda: all((devbox.directory / name).exists() for name in names), "it does not come to the host")
    eventually(lambda: names <= set(_in_worker(devbox, "ls").split()), "it does not come to the worker")
    eventually(lambda: names <= set(devbox("exec", "--", "ls").stdout.split()), "it does not come to the first")
    assert not [path.name for path in devbox.directory.iterdir() if path.name.startswith(".devbox-tmp")]


def test_a_rule_is_carried_out_in_each_machine(devbox: Devbox) -> None:
    write(devbox, TWO_WAY + RULE + "[machines.worker]\n")
    devbox("up")
    (devbox.directory / "watched").write_text("now")
    eventually(
        lambda: has(devbox.directory / "seen-by-worker", "worker\n"), "the rule was not carried out in the worker"
    )
    own = devbox("exec", "--", "hostname").stdout.strip()
    eventually(lambda: has(devbox.directory / f"seen-by-{own}", f"{own}\n"), "it was not carried out in the first")
    devbox("destroy", "-f")
    assert gone(workspace_hash(str(devbox.directory), "worker")), "the worker's supervisor was left"
