"""Fault points: the hook that lets the tests stop devbox dead at each side effect.

Every side effect (a state file, a process, an engine request that changes something) passes `fault(name)`
before and after itself. Without `DEVBOX_FAULT` in the environment this costs one comparison. With
`DEVBOX_FAULT=N:kill` the Nth point kills this process with SIGKILL, as a power cut or an OOM killer would;
with `DEVBOX_FAULT=kill:N:NAME` the Nth of this name does, for what does not take the same steps each time; with
`DEVBOX_FAULT=count:FILE` each point's name is appended to FILE, so a test knows how many there are.
"""

import itertools
import os
import signal

_SPEC = os.environ.get("DEVBOX_FAULT", "")
_numbers = itertools.count(1)  # a thread that removes something passes points too
_named = itertools.count(1)


def fault(name: str) -> None:
    """Pass one fault point; returns unless a test asked for a fault here."""
    if not _SPEC:
        return
    number = next(_numbers)
    at, _, what = _SPEC.partition(":")
    if at == "count":
        with open(what, "a", encoding="utf-8") as file:  # noqa: PTH123
            file.write(f"{number} {name}\n")
    elif (at == str(number) and what == "kill") or (at == "kill" and _is_it(what, name)):
        os.kill(os.getpid(), signal.SIGKILL)


def _is_it(what: str, name: str) -> bool:
    wanted, _, of = what.partition(":")
    return name == of and next(_named) == int(wanted)
