"""`devbox sync`: one verb, and a word for what is asked."""

import difflib
import os
import time
from collections.abc import Callable
from typing import Annotated, Any

import typer

from devbox.cli import show_sync
from devbox.cli.group import invocation_of, verb
from devbox.cli.invocation import Invocation
from devbox.cli.render import next_step
from devbox.errors import UsageError
from devbox.workspace import sync_verb

_KEEP = ("host", "guest")
_RESOLVE = "devbox sync resolve PATH --keep host|guest"


@verb(
    "sync",
    examples=(
        ("devbox sync", "how the files get inside, and whether both sides are equal"),
        ("devbox sync resolve src/a.py --keep host", "decide what was changed on both sides"),
        ("devbox sync undo last", "bring back what the environment replaced or removed here"),
    ),
    next_step="mode, ignore and the rest stand below [sync] in devbox.toml",
    machines=True,
)
def command(
    context: typer.Context,
    action: Annotated[
        str,
        typer.Argument(
            metavar="[status | flush | pause | resume | conflicts | resolve | confirm | diff | undo | verify]"
        ),
    ] = "status",
    what: Annotated[str | None, typer.Argument(metavar="[PATH | ID]")] = None,
    *,
    keep: Annotated[str | None, typer.Option("--keep", metavar="SIDE", help="Whose is kept: host or guest.")] = None,
) -> int:
    """See and steer how the project's files are kept equal here and inside, where they are not mounted.

    status, conflicts and diff look. flush waits until both sides are equal, and verify reads every file on both. pause
    and resume say it themselves. resolve PATH --keep SIDE ends a conflict; what loses goes to the trash of its side.
    confirm agrees to what the sync has stopped for. undo lists what was replaced or removed on this machine, and undo
    ID (or undo last) brings it back.
    """
    invocation = invocation_of(context)
    actions: dict[str, Callable[[Invocation, str | None, str | None], int]] = {
        "status": _status,
        "flush": _flush,
        "pause": _ordered,
        "resume": _ordered,
        "confirm": _ordered,
        "conflicts": _conflicts,
        "resolve": _resolve,
        "diff": _diff,
        "undo": _undo,
        "verify": _verify,
    }
    if action not in actions:
        close = difflib.get_close_matches(action, actions, n=1)
        hint = f"did you mean: devbox sync {close[0]}" if close else f"write one of: {', '.join(actions)}"
        raise UsageError(f"devbox sync cannot {action!r}", hint=hint)
    _require_sense(action, what, keep)
    return actions[action](invocation, action if actions[action] is _ordered else what, keep)


def _require_sense(action: str, what: str | None, keep: str | None) -> None:
    if action == "resolve":
        if what is None or keep not in _KEEP:
            raise UsageError("resolve needs a path and whose is kept", hint=_RESOLVE)
        return
    if keep is not None:
        raise UsageError("--keep goes with resolve", hint=_RESOLVE)
    if what is not None and action != "undo":
        raise UsageError(f"{action} takes no path", hint=f"devbox sync {action}")


def _status(invocation: Invocation, what: str | None, keep: str | None) -> int:  # noqa: ARG001 (all have these)
    found = sync_verb.status(invocation.host, invocation.workspace)
    invocation.show(found, show_sync.status_lines(found, str(invocation.workspace.directory), time.time()))
    step = show_sync.status_next(found)
    if step:
        invocation.say(next_step(step))
    return 0


def _flush(invocation: Invocation, what: str | None, keep: str | None) -> int:  # noqa: ARG001
    found = sync_verb.flush(invocation.host, invocation.workspace)
    equal = found["settled"] and not found["conflicts"]
    invocation.show({"equal": equal, **found}, show_sync.flush_lines(found))
    return 0 if equal else 1


def _ordered(invocation: Invocation, what: str | None, keep: str | None) -> int:  # noqa: ARG001
    """Carry out pause, resume or confirm, which `what` is."""
    found = sync_verb.ask(invocation.host, invocation.workspace, str(what))["status"]
    invocation.show(found, show_sync.state_lines(found))
    return 0


def _conflicts(invocation: Invocation, what: str | None, keep: str | None) -> int:  # noqa: ARG001
    found = sync_verb.status(invocation.host, invocation.workspace)
    document = {"conflicts": found["conflicts"], "kept": found["kept"]}
    invocation.show(document, show_sync.conflict_lines(found))
    if found["conflicts"]:
        invocation.say(next_step(_RESOLVE))
    return 0


def _resolve(invocation: Invocation, what: str | None, keep: str | None) -> int:
    path = sync_verb.inside_path(invocation.host, invocation.workspace, what or "")
    found = sync_verb.ask(invocation.host, invocation.workspace, "resolve", path=path, keep=keep)
    if not found["found"]:
        raise UsageError(f"there is no conflict at {what}", hint="devbox sync conflicts")
    settled = sync_verb.flush(invocation.host, invocation.workspace)
    lines = [f"{one}: as on the {keep}" for one in found["resolved"]]
    invocation.show({"resolved": found["resolved"], "conflicts": settled["conflicts"]}, lines)
    return 0


def _diff(invocation: Invocation, what: str | None, keep: str | None) -> int:  # noqa: ARG001
    entries = sync_verb.ask(invocation.host, invocation.workspace, "diff")["entries"]
    invocation.show({"entries": entries}, show_sync.difference_lines(entries) or ["both sides are equal"])
    return 0


def _verify(invocation: Invocation, what: str | None, keep: str | None) -> int:  # noqa: ARG001
    differing = sync_verb.ask(invocation.host, invocation.workspace, "verify")["differing"]
    lines = differing or ["every file is as it should be on both sides"]
    invocation.show({"differing": differing}, lines)
    return 1 if differing else 0


def _undo(invocation: Invocation, what: str | None, keep: str | None) -> int:  # noqa: ARG001
    if what in (None, "list"):
        found = sync_verb.batches(invocation.workspace)
        document: list[dict[str, Any]] = [
            {"id": os.fsdecode(one.name), "when": one.when, "paths": [os.fsdecode(path) for path in one.paths]}
            for one in found
        ]
        invocation.show({"batches": document}, show_sync.batch_lines(document, time.time()))
        if found:
            invocation.say(next_step(f"devbox sync undo {os.fsdecode(found[0].name)}"))
        return 0
    done = sync_verb.undo(invocation.workspace, str(what))
    rows = [{"path": os.fsdecode(one.path), "problem": one.problem or None} for one in done]
    invocation.show({"undone": rows}, [_undone(row) for row in rows])
    return 1 if any(one.problem for one in done) else 0


def _undone(row: dict[str, Any]) -> str:
    return f"{row['path']}: left in the trash, {row['problem']}" if row["problem"] else f"{row['path']}: as it was"
