"""The life of an Environment with a copy of its project: what is synced, when, and what outlives what."""

import json
import os
import tarfile
from pathlib import Path

import pytest

from devbox.engine.base import Engine
from devbox.values import LABEL_WORKSPACE
from tests.integration.sync.conftest import TWO_WAY, eventually, has, inside
from tests.integration.workspace.conftest import own_base, write
from tests.support.account import ordinary
from tests.support.command import Devbox, engine
from tests.support.project import project
from tests.support.supervisors import gone, killed, processes

pytestmark = pytest.mark.docker


def _state(devbox: Devbox) -> str:
    return str(devbox.json("sync")["state"])


def _box(devbox: Devbox) -> str:
    return str(devbox.json("status")["instance"])


def test_files_go_both_ways_and_a_command_finds_what_was_saved_before_it(devbox: Devbox) -> None:
    devbox("up")
    with engine() as client:
        mounts = client.containers.get(_box(devbox)).attrs["Mounts"]
    assert not any(mount["Source"] == str(devbox.directory) for mount in mounts)
    for number in range(5):
        (devbox.directory / "a.txt").write_text(f"version {number}")
        assert inside(devbox, f"cat a.txt; echo made {number} > made.txt") == f"version {number}"
        assert (devbox.directory / "made.txt").read_text() == f"made {number}\n"
    devbox("exec", "-d", "--", "sh", "-c", "sleep 0.2; echo later > later.txt")
    eventually(lambda: has(devbox.directory / "later.txt", "later\n"), "what is made inside does not come by itself")
    assert (devbox.directory / "made.txt").stat().st_uid == devbox.directory.stat().st_uid
    inside(devbox, "mkdir -p new/deeper; touch new/deeper/plain; touch new/run; chmod +x new/run")
    modes = [
        (devbox.directory / name).stat().st_mode & 0o777
        for name in ("new", "new/deeper", "new/deeper/plain", "new/run")
    ]
    assert modes == [0o755, 0o755, 0o644, 0o755]
    assert devbox("up").stdout == "nothing to do\n"
    assert _state(devbox) == "watching"
    assert devbox("sync", "flush").stdout == "both sides are equal\n"
    assert devbox.json("status")["sessions"] == []


def test_a_conflict_is_told_by_the_next_command_and_ends_as_somebody_decides(devbox: Devbox) -> None:
    devbox("up")
    devbox("sync", "pause")
    inside(devbox, "echo inside > a.txt")
    (devbox.directory / "a.txt").write_text("here")
    devbox("sync", "resume")
    told = devbox("exec", "--", "true")
    assert "warning: sync has a conflict: a.txt" in told.stderr
    assert told.stderr.count("\n") == 1
    assert devbox("sync", "flush", status=1).stdout.startswith("a.txt")
    assert [one["path"] for one in devbox.json("sync", "conflicts")["conflicts"]] == ["a.txt"]
    devbox("sync", "resolve", "a.txt", "--keep", "guest")
    assert has(devbox.directory / "a.txt", "inside\n")
    assert devbox("exec", "--", "true").stderr == ""
    (batch, *_) = devbox.json("sync", "undo")["batches"]
    assert batch["paths"] == ["a.txt"]
    devbox("sync", "undo", batch["id"])
    assert inside(devbox, "cat a.txt") == "here"


def test_a_killed_supervisor_and_a_restarted_container_are_taken_in_their_stride(devbox: Devbox) -> None:
    devbox("up")
    (first,) = processes(devbox.hash)
    assert killed(first)
    (devbox.directory / "a.txt").write_text("after the kill")
    assert _state(devbox) == "ended"
    assert inside(devbox, "cat a.txt") == "after the kill"
    assert processes(devbox.hash) not in ([], [first])
    with engine() as client:
        client.containers.get(_box(devbox)).restart(timeout=1)
    (devbox.directory / "a.txt").write_text("after the restart")
    eventually(lambda: devbox("exec", "--", "true", status=None).returncode == 0, "it does not come back")
    assert inside(devbox, "cat a.txt; echo more > b.txt") == "after the restart"
    assert has(devbox.directory / "b.txt", "more\n")


def test_halt_brings_home_and_up_goes_on(devbox: Devbox) -> None:
    devbox("up")
    devbox("exec", "-d", "--", "sh", "-c", "echo last > last.txt; touch /tmp/written")
    with engine() as client:
        waits = ["sh", "-c", "until [ -e /tmp/written ]; do sleep 0.01; done"]
        assert client.containers.get(_box(devbox)).exec_run(waits).exit_code == 0
    devbox("halt")
    assert gone(devbox.hash)
    assert has(devbox.directory / "last.txt", "last\n")
    assert _state(devbox) == "stopped"
    (devbox.directory / "a.txt").write_text("while it was halted")
    (devbox.directory / "last.txt").unlink()
    devbox("up")
    assert inside(devbox, "cat a.txt; ls last.txt 2>/dev/null || true") == "while it was halted"


def test_what_is_written_while_it_ends_comes_home_before_it_is_destroyed(devbox: Devbox) -> None:
    devbox("up")
    writes = "trap 'echo late > late.txt; exit' TERM; echo ready > ready.txt; while :; do sleep 0.1; done"
    devbox("exec", "-d", "--", "sh", "-c", writes)
    eventually((devbox.directory / "ready.txt").exists, "it does not begin")
    devbox("halt")
    assert not (devbox.directory / "late.txt").exists()
    devbox("destroy", "-f")
    assert has(devbox.directory / "late.txt", "late\n")


def test_a_container_made_anew_deletes_nothing_here_with_its_volume_or_without(devbox: Devbox) -> None:
    devbox("up")
    names = sorted(path.name for path in devbox.directory.iterdir())
    before = _box(devbox)
    write(devbox, TWO_WAY + "[resources]\npids = 200\n")
    devbox("up")
    assert _box(devbox) != before
    assert inside(devbox, "cat a.txt") == "one"
    with engine() as client:
        client.containers.get(_box(devbox)).remove(force=True)
        for volume in client.volumes.list(filters={"label": f"{LABEL_WORKSPACE}={devbox.hash}"}):
            volume.remove()
    devbox("up")
    assert sorted(path.name for path in devbox.directory.iterdir()) == names
    assert inside(devbox, "cat a.txt") == "one"


def test_destroy_keeps_what_is_nowhere_else(devbox: Devbox) -> None:
    write(devbox, '[sync]\nmode = "one-way"\n')
    devbox("up")
    inside(devbox, "mkdir -p out; echo only here > out/result.txt")
    done = devbox("--json", "destroy", "-f", status=0)
    assert gone(devbox.hash)
    with engine() as client:
        assert client.volumes.list(filters={"label": f"{LABEL_WORKSPACE}={devbox.hash}"}) == []
    saved = Path(json.loads(done.stdout)["saved"])
    with tarfile.open(saved) as archive:
        found = archive.extractfile("out/result.txt")
        assert found is not None
        assert found.read() == b"only here\n"


def test_a_volume_of_the_profile_stays_inside_synced_or_mounted(devbox: Devbox) -> None:
    for mode in ("two-way", "mount"):
        write(devbox, f'[sync]\nmode = "{mode}"\nvolumes = ["deep/kept"]\n')
        devbox("up")
        inside(devbox, "mkdir -p deep/kept; echo x > deep/kept/file; echo y > deep/seen")
        assert has(devbox.directory / "deep" / "seen", "y\n")
        assert not (devbox.directory / "deep" / "kept" / "file").exists()
    assert devbox.json("sync")["mode"] == "mount"
    assert devbox("sync").stdout.startswith("mount: mounted")


def test_an_ordinary_user_of_this_host_owns_everything_on_both_sides(docker_engine: Engine) -> None:
    with project(ordinary()) as devbox, own_base(docker_engine, devbox):
        write(devbox, TWO_WAY + 'volumes = ["deep/kept"]\n')
        (devbox.directory / "a.txt").write_text("one")
        os.chown(devbox.directory / "a.txt", devbox.account.uid, devbox.account.gid)
        devbox("up")
        uid = devbox.account.uid
        said = inside(devbox, "stat -c %u . a.txt; mkdir -p deep/kept; echo x > deep/b.txt; stat -c %u deep/b.txt")
        assert said.split() == [str(uid)] * 3
        assert (devbox.directory / "deep" / "b.txt").stat().st_uid == uid
        devbox("destroy", "-f")
        assert gone(devbox.hash)
