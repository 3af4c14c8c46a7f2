"""What a session tells of itself, in plain values."""

import errno as errnos
import os
import select

from devbox.sync.core.entry import Entry, Kind, Side
from devbox.sync.core.plan import Conflict
from devbox.sync.cycle import Left
from devbox.sync.live import Live
from devbox.sync.memory import Memory
from devbox.sync.pump import EndLost
from devbox.sync.report import Difference, Doing, Report, Settings, Status, Trouble, shown
from devbox.sync.rows import Node
from devbox.sync.still import NEVER
from devbox.sync.troubles import Troubles

_SYSCTL = "raise fs.inotify.max_user_watches"


def lost(error: EndLost) -> str:
    """Say which end is gone, and why."""
    why = os.strerror(error.errno) if error.errno else str(error)
    if error.side is Side.HOST and error.errno in (errnos.ENOENT, errnos.ESTALE, errnos.ENOTDIR):
        return f"the host's directory is gone: {why}"
    return f"the {error.side.value} does not answer: {why}"


def doing(live: Live | None) -> tuple[Doing, str]:
    """Return what it does, and why it does no more."""
    if live is None:
        return Doing.STARTING, ""
    halt = live.cycle.halt
    if halt is not None:
        much = f" ({halt.going} of {halt.total})" if halt.total else ""
        return Doing.HALTED, f"on the {halt.side.value}: {halt.stop.value}{much}"
    if live.paused:
        return Doing.PAUSED, ""
    if not live.open:
        return Doing.SCANNING, ""
    return (Doing.SYNCING if live.working else Doing.WATCHING), ""


def status(settings: Settings, live: Live | None, memory: Memory | None, now: tuple[Doing, str]) -> Status:
    """Return all that is to be known at a glance."""
    entries = memory.rows.count if memory is not None else 0
    if live is None:
        return Status(doing=now[0], reason=now[1], mode=settings.mode.value, entries=entries)
    counters, scene = live.cycle.transfer.counters, live.scene
    return Status(
        doing=now[0],
        reason=now[1],
        mode=settings.mode.value,
        entries=entries,
        pending=live.pump.pending + len(scene.fresh) + sum(len(paths) for paths in scene.dirty.values()),
        files=counters.files,
        bytes=counters.bytes,
        removed=counters.removed,
        moved=counters.moved,
        conflicts=_conflicts(live),
        kept=tuple(_left(live, path, left) for path, left in _sorted(live) if not isinstance(left.what, Conflict)),
        troubles=_troubles(scene.troubles),
        warnings=_warnings(live),
        last_cycle=int(live.cycled),
        last_verify=int(live.verified),
    )


def report(live: Live | None, *, settled: bool, halted: str, files: int, bytes_: int) -> Report:
    """Return what a flush came to, of which this was done before it."""
    if live is None:
        return Report(settled=False, halted=halted)
    counters = live.cycle.transfer.counters
    return Report(
        settled=settled,
        halted=halted,
        conflicts=_conflicts(live),
        troubles=_troubles(live.scene.troubles),
        files=counters.files - files,
        bytes=counters.bytes - bytes_,
        rest=live.still.count if settled and not any(live.scene.polled.values()) else NEVER,
    )


def differences(memory: Memory | None) -> tuple[Difference, ...]:
    """Return all paths that are not the same on both sides."""
    nodes = memory.rows.root.walk() if memory is not None else iter(())
    found = [_difference(node) for node in nodes if node.host != node.guest]
    return tuple(sorted(found))


def wait(descriptor: int, seconds: float) -> None:
    """Wait until it is readable, at most this long."""
    select.select([descriptor], [], [], seconds)


def _difference(node: Node) -> Difference:
    changed = [side.value for side in Side if node.on(side) != node.base]
    return Difference(shown(node.path), "changed on " + " and ".join(changed), _text(node.host), _text(node.guest))


def _sorted(live: Live) -> list[tuple[bytes, Left]]:
    return sorted(live.cycle.left.items())


def _conflicts(live: Live) -> tuple[Difference, ...]:
    return tuple(_left(live, path, left) for path, left in _sorted(live) if isinstance(left.what, Conflict))


def _left(live: Live, path: bytes, left: Left) -> Difference:
    node = live.scene.rows.find(path)
    host, guest = (node.host, node.guest) if node is not None else (None, None)
    return Difference(shown(path), left.what.why.value, _text(host), _text(guest), left.told)


def _text(entry: Entry | None) -> str:
    if entry is None:
        return ""
    match entry.kind:
        case Kind.FILE:
            return "program" if entry.executable else "file"
        case Kind.DIRECTORY:
            return "directory"
        case Kind.LINK:
            return f"link to {shown(entry.target)}"
        case Kind.OTHER:
            return entry.reason


def _troubles(troubles: Troubles) -> tuple[Trouble, ...]:
    return tuple(Trouble(shown(one.path), one.side.value, one.text, one.tries) for one in sorted(troubles.told))


def _warnings(live: Live) -> tuple[str, ...]:
    found = [text for _, text in sorted(live.scene.warnings.items())]
    for side, nodes in live.scene.polled.items():
        if nodes:
            many = f"{len(nodes)} directories of the {side.value} cannot be watched and are looked at again and again"
            found.append(f"{many}: {_SYSCTL}")
    found += [f"{problem.file}:{problem.line}: {problem.message}" for problem in live.scene.ignore.problems]
    return tuple(found)
