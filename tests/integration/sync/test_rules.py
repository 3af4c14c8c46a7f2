"""What follows from changed files, by the Supervisor."""

import pytest

from tests.integration.sync.conftest import TWO_WAY, eventually, has, inside
from tests.integration.workspace.conftest import write
from tests.support.command import Devbox

pytestmark = pytest.mark.docker

RULES = """
[[sync.on_change]]
paths = ["*.sql"]
run = "migrate"
[[sync.on_change]]
paths = ["/service.conf"]
do = "restart"
[tasks]
migrate = "cat *.sql > migrated; echo touched >> own.sql"
"""


def test_a_task_runs_when_files_come_from_here_and_not_when_it_makes_them_itself(devbox: Devbox) -> None:
    (devbox.directory / "first.sql").write_text("1")
    write(devbox, TWO_WAY + RULES)
    devbox("up")
    assert not (devbox.directory / "migrated").exists()
    (devbox.directory / "second.sql").write_text("2")
    eventually(lambda: has(devbox.directory / "migrated", "12"), "the task does not run")
    eventually(lambda: has(devbox.directory / "own.sql", "touched\n"), "what it makes does not come")
    devbox("sync", "flush")
    log = devbox("logs", "--supervisor").stdout
    assert log.count("changed: run migrate") == 1


def test_the_environment_is_restarted(devbox: Devbox) -> None:
    write(devbox, TWO_WAY + RULES)
    devbox("up")
    inside(devbox, "echo gone after a restart > /dev/shm/mark")
    (devbox.directory / "service.conf").write_text("x")

    def restarted() -> bool:
        asked = devbox("exec", "--", "sh", "-c", "test ! -e /dev/shm/mark && cat service.conf", status=None)
        return asked.stdout == "x"

    eventually(restarted, "it is not restarted")
