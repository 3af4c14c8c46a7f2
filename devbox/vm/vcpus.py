"""The processors of an emulated machine, threads of QEMU's: kept on processors of their own while somebody waits. Lean.

A host that is a virtual machine itself, as most are that have to emulate, tells its kernel that a processor which rests
is taken away, and that kernel then lets threads wait for each other on one processor beside another that has nothing to
do. A small command took a fifth longer by that. Nobody is kept for long: for work, the kernel spreads what runs.
"""

from __future__ import annotations

import os
import time

WORD = 0.5  # seconds after the last word of somebody who may wait
BOOT = 10.0  # seconds at the most until a machine that boots, or goes on, is there
_EMULATED = "/TCG"  # how QEMU's `debug-threads` ends their names: "CPU 0/TCG"
_ANYWHERE = frozenset(range(1024))  # the kernel takes of it those that there are


class Processors:
    """Those of the QEMU that is the process `pid`. What cannot be had, on this host or any more, is done without."""

    def __init__(self, pid: int) -> None:
        self.due = 0.0  # when they are let go (`time.monotonic`); 0: they are
        self._pid = pid
        self._all: set[int] = set()
        self._threads = _emulated(pid) if hasattr(os, "sched_setaffinity") else []

    def hold(self, seconds: float) -> None:
        """Somebody waits: each is where no other one is, if there are so many, for so long."""
        if self.due or self._keep_apart():
            self.due = max(self.due, time.monotonic() + seconds)

    def hold_no_longer(self, seconds: float) -> None:
        """What was waited for has come: the next word may follow, and if none does they are let go."""
        self.due = min(self.due, time.monotonic() + seconds)

    def release(self) -> None:
        """Let each be wherever the kernel has it."""
        if self.due:
            self.due = 0.0
            everywhere = len(self._all) == os.cpu_count()  # then they are also to be where there will be one later
            for thread in self._threads:
                _place(thread, _ANYWHERE if everywhere else self._all)

    def _keep_apart(self) -> bool:
        count = len(self._threads)
        if count < 2:
            return False
        try:
            self._all = os.sched_getaffinity(self._pid)
        except OSError:  # it has ended
            return False
        numbers = sorted(self._all)
        if count > len(numbers):  # two would have one and wait for each other
            return False
        if all(_place(thread, numbers[index::count]) for index, thread in enumerate(self._threads)):
            return True
        for thread in self._threads:  # not some of them
            _place(thread, self._all)
        return False


def _place(thread: int, where: list[int] | set[int] | frozenset[int]) -> bool:
    try:
        os.sched_setaffinity(thread, where)
    except OSError:  # another user's, or it has ended, or a processor has gone
        return False
    return True


def _emulated(pid: int) -> list[int]:
    """Return the threads of the emulated processors, by number."""
    found: dict[int, int] = {}
    try:
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 (lean)
    except OSError:
        return []
    for thread in threads:
        try:
            descriptor = os.open(f"/proc/{pid}/task/{thread}/comm", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:  # one of QEMU's workers has ended
            continue
        try:
            name = os.read(descriptor, 64).decode("ascii", "replace").strip()
        except OSError:
            continue
        finally:
            os.close(descriptor)
        number = name[len("CPU ") : -len(_EMULATED)]
        if name == f"CPU {number}{_EMULATED}" and number.isascii() and number.isdecimal():
            found[int(number)] = int(thread)
    return [found[number] for number in sorted(found)]
