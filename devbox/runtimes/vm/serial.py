"""A person at the serial console of a machine: the last way in, where there is no agent."""

import os
import select
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from devbox import paths
from devbox.agent.streams import Raw
from devbox.vm.console import Heard
from devbox.vm.keyboard import typing

LEAVE: Final = b"\x1d"  # Ctrl-]
_PAUSE: Final = 0.05
_LOOK: Final = 1.0  # seconds between two looks whether it still runs
_QUIET: Final = 2.0  # seconds without a word after which one that nobody types at any more is left
_PIECE: Final = 4096
_SHOWN: Final = 2000  # bytes of what was said before


def attached(directory: Path, *, runs: Callable[[], bool], stdin: int = 0, stdout: int = 1) -> None:
    """Be at the console of the machine in `directory` until `LEAVE` is typed, the input ends, or it does not run.

    `MachineError` if nobody reads what is typed. A terminal is as it was before, whatever happens.
    """
    raw = Raw(stdin) if os.isatty(stdin) else None
    heard = Heard(directory / paths.MACHINE_CONSOLE, before=_SHOWN)
    with typing(directory) as keys:
        try:
            if raw:
                raw.enter()
            _relayed(heard, keys, runs, stdin, stdout)
        finally:
            if raw:
                raw.leave()


def _relayed(heard: Heard, keys: int, runs: Callable[[], bool], stdin: int, stdout: int) -> None:
    looked = said = time.monotonic()
    ended = False
    while True:
        if said_now := heard.more():
            _write(stdout, said_now)
            said = time.monotonic()
        now = time.monotonic()
        if ended and now - said > _QUIET:
            return
        if now - looked > _LOOK:
            looked = now
            if not runs():
                _write(stdout, heard.more())
                return
        readable, _, _ = select.select([] if ended else [stdin], [], [], _PAUSE)
        if readable:
            typed = os.read(stdin, _PIECE)
            before, left, _ = typed.partition(LEAVE)
            _write(keys, before)
            if left:
                return
            ended = not typed
            said = time.monotonic()


def _write(descriptor: int, data: bytes) -> None:
    """Write all of it, waiting while nobody reads."""
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            select.select([], [descriptor], [], _LOOK)
