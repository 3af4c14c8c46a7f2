"""What holds for all tests: nobody's home is touched, nothing of the process is left changed, nothing stays behind."""

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from hypothesis import HealthCheck, settings

from tests.support import guest_kernel, wheel
from tests.support.agent import share_programs
from tests.support.engine import RUN, docker_engine, leftovers, podman_engine, present_now
from tests.support.supervisors import end_all

__all__ = ["docker_engine", "podman_engine"]

# Its reaper is an image that needs a registry; the sweep below does its work.
os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")

# How long an example takes says how busy the machine is.
hypothesis.settings.register_profile("devbox", deadline=None)
hypothesis.settings.load_profile("devbox")

# A shell's background job ignores SIGINT and nohup SIGHUP, and hands that on to all that the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
for _number in (signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.SIG_DFL)

# A machine with much to do is slow to think examples up, which is no fault of what they are for.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

_XDG = ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR")
_before: set[str] = set()
_left: list[str] = []
# Where a user's locks are whose state directory cannot be written to; some tests have such a one.
_LOCKS = Path(f"/tmp/devbox-{os.geteuid()}")
_own: list[Path] = [guest_kernel.PLACE, wheel.PLACE]


@pytest.fixture(autouse=True)
def _unchanged_process() -> Iterator[None]:
    """Fail a test that leaves the environment or the current directory changed."""
    environ, cwd = _environ(), Path.cwd()
    yield
    assert _environ() == environ, "the test changed the environment: use monkeypatch"
    assert Path.cwd() == cwd, "the test changed the current directory: use monkeypatch"


@pytest.fixture(autouse=True)
def _no_agents_left() -> Iterator[None]:
    """End the agents of engines in memory."""
    yield
    fakes = sys.modules.get("tests.fakes.engine")
    if fakes is not None:
        fakes.stop_agents()


def _environ() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}


@pytest.fixture(autouse=True)
def home(_unchanged_process: None, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give each test an empty home, and XDG directories in it."""
    directory = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(directory))
    for variable in _XDG:
        monkeypatch.setenv(variable, str(directory / variable.lower()))
    share_programs(directory / "xdg_cache_home")
    for variable in [name for name in os.environ if name.startswith("DEVBOX_") and "_TEST_" not in name]:
        monkeypatch.delenv(variable)
    return directory


def pytest_sessionstart(session: pytest.Session) -> None:
    if not hasattr(session.config, "workerinput"):
        _before.update(present_now())
        if not _LOCKS.exists():
            _own.append(_LOCKS)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run if something that the tests made is still on the engine; looked at once, by the first process."""
    if hasattr(session.config, "workerinput"):
        return
    for place in _own:
        shutil.rmtree(place, ignore_errors=True)
    _left.extend([*leftovers(frozenset(_before)), *end_all(RUN)])
    if _left:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for item in _left:
        terminalreporter.write_line(f"left behind: {item}", red=True)
