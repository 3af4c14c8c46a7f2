"""An engine that sees no file of this host: `mode = "auto"` syncs, through the engine's own connection."""

import time

import pytest

from tests.integration.sync.conftest import eventually, has, inside
from tests.integration.workspace.conftest import write
from tests.support.command import Devbox, containers_made, left_over
from tests.support.supervisors import killed, processes

pytestmark = pytest.mark.docker


def test_a_project_is_synced_both_ways_and_outlives_the_supervisor(remote: Devbox) -> None:
    write(remote)  # nothing said of sync, and the host's certificates inside
    remote("up")
    assert remote.json("sync")["mode"] == "two-way"
    for number in range(3):
        (remote.directory / "a.txt").write_text(f"version {number}")
        assert inside(remote, f"cat a.txt; echo made {number} > made.txt") == f"version {number}"
        assert (remote.directory / "made.txt").read_text() == f"made {number}\n"
    assert killed(processes(remote.hash)[0])
    (remote.directory / "a.txt").write_text("after the kill")
    assert inside(remote, "cat a.txt") == "after the kill"
    remote("exec", "-d", "--", "sh", "-c", "echo later > later.txt")
    eventually(lambda: has(remote.directory / "later.txt", "later\n"), "what is made inside does not come by itself")
    remote("halt")
    (remote.directory / "a.txt").write_text("while it was halted")
    remote("up")
    assert inside(remote, "cat a.txt") == "while it was halted"


def test_a_mount_is_refused_with_what_to_write_instead(remote: Devbox) -> None:
    write(remote, '[sync]\nmode = "mount"\n')
    begun = time.time()
    refused = remote("up", status=3)
    assert "error[runtime-unavailable]" in refused.stderr
    assert "another machine" in refused.stderr
    assert 'mode = "two-way"' in refused.stderr
    assert containers_made(remote.hash, begun, time.time()) == left_over(remote.hash) == []
