"""Podman found and started on demand."""

import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from devbox.engine import discovery
from devbox.process import HostProcesses
from tests.fakes.reporter import RecordingReporter
from tests.support.engine import require_podman

pytestmark = pytest.mark.podman

_STORAGE = '[storage]\ndriver = "vfs"\ngraphroot = "{home}/g"\nrunroot = "{home}/r"\n'


class _Noted(HostProcesses):
    """Processes of this machine; `pids` has those that were started to stay."""

    pids: tuple[int, ...] = ()

    def start(self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, log: Path) -> int:
        pid = super().start(argv, env=env, log=log)
        self.pids = (*self.pids, pid)
        return pid


def test_where_only_podman_is_installed_its_service_is_started(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    reporter = RecordingReporter()
    processes = _Noted(reporter)
    require_podman()
    monkeypatch.setattr(discovery, "DOCKER_SOCKET", "/nonexistent/docker.sock")
    (home / "storage.conf").write_text(_STORAGE.format(home=home))
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(home / "storage.conf"))
    environ = {"HOME": str(home), "DEVBOX_ENGINE": "podman"}
    try:
        for _ in range(2):
            with contextlib.closing(discovery.connect(environ, processes, reporter)) as engine:
                assert engine.info.name == "podman"
                assert engine.info.shares_host
                assert engine.containers({}) == []
        assert len(processes.pids) == 1
        (found,) = discovery.reachable(environ, processes, reporter)
        assert found.info.source == "podman service"
        found.close()
    finally:
        for pid in processes.pids:
            os.kill(pid, signal.SIGTERM)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
