"""What follows from changes of files (`[[sync.on_change]]`): this devbox, started as a program of its own."""

import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from devbox import paths
from devbox.errors import DevboxError
from devbox.process import HostProcesses
from devbox.reporter import SilentReporter
from devbox.supervisor.log import Log
from devbox.supervisor.order import Rule

VERB: Final = "on-change"  # hidden; the verb that carries out a rule
_QUIET: Final = 0.5  # seconds without a further change before anything is done
_PACKAGES: Final = str(Path(__file__).parents[2])
# Whoever installed devbox where no Python looks by itself has it all the same.
_BEGIN: Final = (
    "import os, sys; sys.path += sys.argv.pop(1).split(os.pathsep); from devbox.launcher import main; sys.exit(main())"
)


def devbox_argv(*words: str) -> list[str]:
    """Return the command line of this very devbox."""
    places = [path for path in sys.path if path not in ("", _PACKAGES)]
    return [sys.executable, "-I", "-c", _BEGIN, os.pathsep.join([_PACKAGES, *places]), *words]


class Deeds:
    """Carries out the rules of a session, one deed after another; what changes meanwhile makes it once more.

    What is brought over before `arm` follows from nothing but the beginning, and counts as known.
    """

    def __init__(self, directory: str, rules: Sequence[Rule], path_hash: str, log: Log, *, machine: str = "") -> None:
        self._directory = directory
        self._machine = machine
        self._rules = rules
        self._output = Path(paths.supervisor_log(path_hash))
        self._log = log
        self._armed = False
        self._due: set[int] = set()
        self._timer: threading.Timer | None = None
        self._changing = threading.Lock()
        self._working = threading.Lock()

    def arm(self) -> None:
        """Count changes from now on."""
        self._armed = True

    def changed(self, name: str) -> None:
        """Remember that files of the rule with this number changed; called from the session's thread."""
        if not self._armed:
            return
        with self._changing:
            self._due.add(int(name))
            if self._timer is not None:
                self._timer.cancel()
            self._timer = threading.Timer(_QUIET, self._work)
            self._timer.daemon = True
            self._timer.start()

    def _work(self) -> None:
        with self._working:
            while due := self._taken():
                for number in due:
                    self._do(self._rules[number])

    def _taken(self) -> list[int]:
        with self._changing:
            due, self._due = sorted(self._due), set()
        return due

    def _do(self, rule: Rule) -> None:
        which = ["-m", self._machine] if self._machine else []
        words = ["-C", self._directory, VERB, *which, rule.do, *([rule.task] if rule.task else [])]
        self._log.say(f"sync: {', '.join(rule.paths)} changed: {rule.do} {rule.task}".rstrip())
        try:
            pid = HostProcesses(SilentReporter()).start(devbox_argv(*words), log=self._output)
        except (DevboxError, OSError) as error:
            self._log.say(f"sync: it cannot be started: {error}")
            return
        _, status = os.waitpid(pid, 0)  # it is a child of ours, though it may outlive us
        self._log.say(f"sync: {rule.do} {rule.task}".rstrip() + f" ended with {os.waitstatus_to_exitcode(status)}")
