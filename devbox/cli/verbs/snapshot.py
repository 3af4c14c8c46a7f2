"""`devbox snapshot`: one verb, and a word for what is asked."""

import difflib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from devbox import paths
from devbox.cli.group import invocation_of, verb
from devbox.cli.invocation import Invocation
from devbox.cli.render import next_step
from devbox.cli.show_snapshots import lines, snapshot_document, title
from devbox.errors import UsageError
from devbox.hot.place import nearest
from devbox.values import short_hash

if TYPE_CHECKING:  # completing needs nothing of it
    from devbox.workspace.snapshot_verb import Choice, Restored

_NAMED: Final = ("save", "restore", "delete")
_ACTIONS: Final = ("save", "restore", "list", "delete", "push", "pop")


def _actions(incomplete: str) -> list[str]:
    return [action for action in _ACTIONS if action.startswith(incomplete)]


def _names(context: typer.Context, incomplete: str) -> list[str]:
    """Return the names of the project's snapshots that fit, where one is asked for."""
    if context.params.get("action") not in _NAMED:
        return []
    from devbox.runtimes.vm.shelf import shelf_of

    start = os.path.realpath(context.obj or ".")
    directory = nearest(start, str(Path(paths.home()).resolve()))
    return [one.name for one in shelf_of(short_hash(directory)).all() if one.name.startswith(incomplete)]


@verb(
    "snapshot",
    examples=(
        ("devbox snapshot save clean", "keep the machine as it is, with what runs in it"),
        ("devbox snapshot restore clean", "let it be as it was then; what changed inside since is gone"),
        ("devbox snapshot push", "keep it under a name that nobody has to remember; devbox snapshot pop, to go back"),
    ),
    next_step="devbox snapshot list, to see what there is; devbox snapshot delete NAME",
    machines=True,
)
def command(
    context: typer.Context,
    action: Annotated[
        str,
        typer.Argument(metavar="save | restore | list | delete | push | pop", autocompletion=_actions),
    ],
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", autocompletion=_names)] = None,
    *,
    force: Annotated[
        bool,
        typer.Option("-f", "--force", help="save: in place of one of that name. restore: save what is inside alone."),
    ] = False,
    boot: Annotated[bool, typer.Option("--boot", help="restore, pop: boot, also if what ran was kept.")] = False,
    no_start: Annotated[bool, typer.Option("--no-start", help="restore, pop: leave it stopped.")] = False,
    no_delete: Annotated[bool, typer.Option("--no-delete", help="pop: keep the snapshot.")] = False,
) -> None:
    """Keep a machine (runtime = "vm") under a name, and let it be as it was then.

    save NAME keeps its disks, and what is in its memory if it runs; it goes on. restore NAME brings that back: what ran
    goes on where it was, what was stopped boots. What has changed inside since then is gone, but for the project's
    files: those stay as they are here. push and pop find a name themselves, and pop takes the last one away.
    """
    invocation = invocation_of(context)
    _require_sense(action, name)
    _require_options(action, {"--force": force, "--boot": boot, "--no-start": no_start, "--no-delete": no_delete})
    from devbox.workspace.snapshot_verb import Choice

    choice = Choice(boot=boot, start=not no_start, force=force)
    actions: dict[str, Callable[[], None]] = {
        "save": lambda: _save(invocation, name, force=force),
        "push": lambda: _save(invocation, None, force=False),
        "restore": lambda: _restore(invocation, str(name), choice),
        "pop": lambda: _pop(invocation, choice, delete_it=not no_delete),
        "list": lambda: _list(invocation),
        "delete": lambda: _delete(invocation, str(name)),
    }
    actions[action]()


def _require_sense(action: str, name: str | None) -> None:
    if action not in _ACTIONS:
        close = difflib.get_close_matches(action, _ACTIONS, n=1)
        hint = f"did you mean: devbox snapshot {close[0]}" if close else f"write one of: {', '.join(_ACTIONS)}"
        raise UsageError(f"devbox snapshot cannot {action!r}", hint=hint)
    if action in _NAMED and name is None:
        raise UsageError(f"{action} needs the name of a snapshot", hint=f"devbox snapshot {action} NAME")
    if action not in _NAMED and name is not None:
        raise UsageError(f"{action} takes no name", hint=f"devbox snapshot {action}")


def _require_options(action: str, given: dict[str, bool]) -> None:
    fitting = {
        "save": ("--force",),
        "restore": ("--force", "--boot", "--no-start"),
        "pop": ("--force", "--boot", "--no-start", "--no-delete"),
    }.get(action, ())
    for option, is_given in given.items():
        if is_given and option not in fitting:
            raise UsageError(f"{option} does not go with {action}", hint=f"devbox snapshot {action}")


def _save(invocation: Invocation, name: str | None, *, force: bool) -> None:
    from devbox.workspace.snapshot_verb import save

    kept = save(invocation.host, invocation.workspace, name, force=force)
    invocation.show({"changed": True, "snapshot": snapshot_document(kept)}, [f"kept as {title(kept)}"])
    invocation.say(next_step("devbox snapshot pop" if name is None else f"devbox snapshot restore {kept.name}"))


def _restore(invocation: Invocation, name: str, choice: "Choice") -> None:
    from devbox.workspace.snapshot_verb import restore

    _show_restored(invocation, restore(invocation.host, invocation.workspace, name, choice))


def _pop(invocation: Invocation, choice: "Choice", *, delete_it: bool) -> None:
    from devbox.workspace.snapshot_verb import pop

    _show_restored(invocation, pop(invocation.host, invocation.workspace, choice, delete_it=delete_it))


def _show_restored(invocation: Invocation, done: "Restored") -> None:
    document: dict[str, Any] = {"changed": True, "snapshot": snapshot_document(done.snapshot)}
    runs = "it runs" if done.up else "it is stopped"
    line = f"{invocation.workspace.container_name}: as it was in {done.snapshot.name}; {runs}"
    invocation.show({**document, "running": done.up is not None}, [line])
    invocation.say(next_step("devbox shell" if done.up else "devbox up"))


def _list(invocation: Invocation) -> None:
    from devbox.workspace.snapshot_verb import listed

    found = listed(invocation.host, invocation.workspace)
    invocation.show({"snapshots": [snapshot_document(one) for one in found]}, lines(found, time.time()))


def _delete(invocation: Invocation, name: str) -> None:
    from devbox.workspace.snapshot_verb import delete

    gone = delete(invocation.host, invocation.workspace, name)
    invocation.show({"changed": True, "snapshot": snapshot_document(gone)}, [f"deleted {title(gone)}"])
