"""Answer a command line by the Record and the agent alone, or not at all.

Not at all is always right: the whole command line then does the same, and says what there is to say. Once a process
has been started inside there is no way back.
"""

from __future__ import annotations

import os

from devbox import paths, record
from devbox.agent import client, wire
from devbox.hot import inputs, place
from devbox.hot.words import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from devbox.hot.words import Words

Lost = client.AgentError  # of those that `answer` lets through: a process had been started


class Case:
    """A command line, the project that it is about, and what the Record says of that; empty if it says nothing."""

    __slots__ = ("cwd", "entry", "environ", "hash", "project", "words")

    def __init__(self, arguments: Sequence[str], environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.words = parse(arguments)
        self.cwd = self.project = self.hash = ""
        self.entry: dict[str, str] = {}
        if self.words is not None:
            self._look(self.words)

    def _look(self, words: Words) -> None:
        try:
            self.cwd = os.getcwd()
            self.project = place.project(os.path.join(self.cwd, words.project or "")) or ""
            if self.project:
                self.hash = inputs.workspace_hash(self.project, words.machine)
                self.entry = record.read(paths.record_file(self.hash)) or {}
        except (OSError, ValueError, record.RecordFromTheFuture):
            return

    def is_there(self) -> bool:
        """Whether its environment may be spoken to while all else is found out: `why_not` has all of this as well."""
        entry, environ = self.entry, self.environ
        if environ.get(inputs.NO_HOT) or environ.get(inputs.FAULT) or not entry:
            return False
        return bool(entry["boot"]) and entry["project"] == self.project

    def unchanged(self, field: str) -> bool:
        """Whether the paths of a field of the Record are as they were."""
        return inputs.unchanged(record.unpack(self.entry[field]))

    def around(self) -> str:
        """Return what is around now, as the Record's field of that name has it."""
        return inputs.around(self.environ, uid=os.getuid(), gid=os.getgid())


def why_not(case: Case) -> str:
    """Return why the whole command line has to answer; empty if the hot path may.

    This is the list of all reasons that do not come from the agent, which has been asked for nothing by then. It adds
    two: it does not answer as the one that `up` spoke to, or the process could not be started.
    """
    words, entry = case.words, case.entry
    brings_up = words is not None and words.verb in ("up", "shell")
    checks: tuple[tuple[str, Callable[[], bool]], ...] = (
        ("it asks for more than a plain shell, exec, up or status", lambda: words is None),
        (f"{inputs.NO_HOT} says so", lambda: bool(case.environ.get(inputs.NO_HOT))),
        ("a test asked for a fault", lambda: bool(case.environ.get(inputs.FAULT))),
        ("there is no such project, or up has not made anything of it", lambda: not entry),
        # a moved project, a secret, a warning to repeat, no devbox.toml, a remote engine: see workspace/preparing.py
        ("what up made is of the kind that has to be looked at each time", lambda: not entry["boot"]),
        ("the Record is of another project", lambda: entry["project"] != case.project),
        ("devbox, the user, or a variable that decides is another one", lambda: entry["around"] != case.around()),
        ("the profile, a layer of it, trust, or the choice of the engine changed", lambda: not case.unchanged("files")),
        ("there are more machines than this one", lambda: bool(words and words.all and entry["machines"])),
        ("unchanged inputs do not mean that there is nothing to do", lambda: brings_up and not entry["plan"]),
        ("a manifest or another input of the build changed", lambda: brings_up and not case.unchanged("inputs")),
        ("there are ports or a sync, and no Supervisor", lambda: words is not None and not _is_supervised(words, case)),
        ("there is something to escape in what would be shown", lambda: not _is_fit_for_a_terminal(entry)),
    )
    return next((reason for reason, holds in checks if holds()), "")


def _is_supervised(words: Words, case: Case) -> bool:
    if words.verb == "exec" or not (case.entry["ports"] or case.entry["sync"]):
        return True  # whether a sync goes on is found out by asking it
    from devbox.supervisor.probe import alive  # lazy: most Environments have no ports

    return alive(paths.supervisor_socket(case.hash))


def _is_fit_for_a_terminal(entry: Mapping[str, str]) -> bool:
    return all(entry[field].isprintable() for field in ("project", "engine", "name", "title"))


def answer(arguments: Sequence[str], environ: Mapping[str, str]) -> int | None:
    """Carry out `arguments` (without the program's name), if that is possible here, and return its exit status.

    `Lost`: a process was started, and devbox failed in the middle of it.
    """
    case = Case(arguments, environ)
    words = case.words
    if words is None:
        return None
    try:
        if words.verb in ("shell", "exec"):
            return _entered(case, words)
        if why_not(case):
            return None
        from devbox.hot.report import report  # lazy: each verb reads from the disk what it needs itself

        return report(words, case.entry, environ)
    except (client.NoAgent, client.OtherAgent, client.StartError, wire.WireError, ValueError):
        return None


def _entered(case: Case, words: Words) -> int | None:
    if not case.is_there():
        return None
    from devbox.hot.door import Door  # lazy, as above

    door = Door(case.entry, paths.supervisor_socket(case.hash))
    try:
        from devbox.hot.enter import enter  # lazy, as above

        return None if why_not(case) else enter(words, case.entry, case.environ, case.cwd, door)
    finally:
        door.close()
