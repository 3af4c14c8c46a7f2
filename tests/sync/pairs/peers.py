"""Unison, rsync and Mutagen between two directories of this machine, as their users run them."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from tests.support.waiting import until
from tests.sync.stage import Can, Pair, Scenario
from tests.sync.trees import HostTree

_PATIENCE = 120.0


class _Peer:
    """Two directories, and a program that is run for each `settle`."""

    name = ""
    can: frozenset[Can] = frozenset()

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.host = HostTree(directory / "host")
        self.guest = HostTree(directory / "guest")
        self.host.path.mkdir()
        self.guest.path.mkdir()

    def conflicts(self) -> set[str]:
        return set()

    def held(self) -> AbstractContextManager[None]:
        """One that is run for each `settle` does nothing in between."""
        return nullcontext()

    def recreate(self, script: str) -> None:
        with self.held():  # as nobody answers for a container that is not there
            shutil.rmtree(self.guest.path)
            self.guest.path.mkdir()
            self.guest.sh(script)

    def run(self, *argv: str, fine: tuple[int, ...] = (0,), env: Mapping[str, str] | None = None) -> str:
        """Run the program; `AssertionError` with its words unless its exit code is `fine`."""
        done = subprocess.run(
            argv, capture_output=True, check=False, env={**os.environ, **(env or {})}, timeout=_PATIENCE
        )
        said = (done.stdout + done.stderr).decode("utf-8", "replace")
        assert done.returncode in fine, f"{' '.join(argv)}: exit code {done.returncode}\n{said[-2000:]}"
        return said


class Unison(_Peer):
    """Two ways, without questions. Its exit codes: 1 skipped something, 2 could not transfer something, 3 stopped."""

    name = "unison"
    can = frozenset({Can.TELL})

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._said = ""

    def settle(self) -> None:
        roots = (str(self.host.path), str(self.guest.path))
        options = ("-batch", "-auto", "-times", "-ui", "text")
        self._said = self.run(
            "unison", *roots, *options, fine=(0, 1, 2, 3), env={"UNISON": str(self.directory / ".unison")}
        )

    def conflicts(self) -> set[str]:
        return {found.strip() for found in re.findall(r"^ *(?:skipped|failed): (.*?)(?: \(.*\))?$", self._said, re.M)}


class Rsync(_Peer):
    """One way, host to guest, an exact copy: the only way that rsync has."""

    name = "rsync"

    def settle(self) -> None:
        self.run("rsync", "-a", "--delete", f"{self.host.path}/", f"{self.guest.path}/", fine=(0, 3, 23, 24))


class Mutagen(_Peer):
    """A session of its own daemon; `settle` is a flush."""

    name = "mutagen"
    can = frozenset({Can.TELL, Can.MODES})

    def __init__(self, directory: Path, program: str, mode: str) -> None:
        super().__init__(directory)
        self._program = program
        self._env = {"MUTAGEN_DATA_DIRECTORY": str(directory / ".mutagen")}
        self._daemon = subprocess.Popen(
            [program, "daemon", "run"],
            env={**os.environ, **self._env},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until((directory / ".mutagen" / "daemon" / "daemon.sock").exists)
        # A safe mode is what Mutagen has by default.
        words = [f"--sync-mode={mode if mode.endswith(('resolved', 'replica')) else f'{mode}-safe'}"]
        roots = (str(self.host.path), str(self.guest.path))
        self.run(program, "sync", "create", *roots, "--name=pair", *words, env=self._env)

    def settle(self) -> None:
        """A session that has stopped for safety is not flushed: flush then fails, or waits for ever."""
        with _ignored_timeout():
            self.run("timeout", "10", self._program, "sync", "flush", "pair", fine=(0, 1, 124), env=self._env)

    @contextmanager
    def held(self) -> Iterator[None]:
        """It watches, and goes on by itself, unless it is paused."""
        self.run(self._program, "sync", "pause", "pair", fine=(0, 1), env=self._env)
        try:
            yield
        finally:
            self.run("timeout", "10", self._program, "sync", "resume", "pair", fine=(0, 1, 124), env=self._env)

    def conflicts(self) -> set[str]:
        said = self.run(self._program, "sync", "list", "pair", "--template={{json .}}", env=self._env)
        return {one["root"] for session in json.loads(said) for one in session.get("conflicts") or ()}

    def close(self) -> None:
        self._daemon.terminate()  # by its id
        self._daemon.wait(timeout=30)


@contextmanager
def _ignored_timeout() -> Iterator[None]:
    try:
        yield
    except subprocess.TimeoutExpired:
        return


def mutagen() -> str | None:
    """Return the program: what MUTAGEN names, or what is on PATH; None where there is none."""
    return shutil.which(os.environ.get("MUTAGEN") or "mutagen")


@contextmanager
def peer(name: str, scenario: Scenario, directory: Path) -> Iterator[Pair]:
    """Have a peer's pair below `directory`."""
    match name:
        case "unison":
            yield Unison(directory)
        case "rsync":
            yield Rsync(directory)
        case "mutagen":
            program = mutagen()
            assert program, "set MUTAGEN to its program"
            made = Mutagen(directory, program, scenario.mode)
            try:
                yield made
            finally:
                made.close()
        case _:
            raise ValueError(name)
