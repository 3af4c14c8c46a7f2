"""`devbox port`."""

from typing import Annotated, Any

import typer

from devbox.cli.following import until_ctrl_c
from devbox.cli.group import invocation_of, verb
from devbox.cli.invocation import Invocation
from devbox.cli.render import address, endpoint, port_documents
from devbox.cli.text import Line, Span, table
from devbox.errors import UsageError
from devbox.runtimes.base import PublishedPort
from devbox.workspace import listeners, port_verb
from devbox.workspace.listeners import Inside


@verb(
    "port",
    examples=(
        ("devbox port web", "where a declared one answers, as 127.0.0.1:8000"),
        ("devbox port 53:5353/udp", "forward port 53 inside from 5353 here, UDP; until devbox halt"),
        ("devbox port --watch", "what listens inside, and how to forward it"),
    ),
    next_step="write it below [ports] in devbox.toml, as web = 8000, to keep it",
    machines=True,
)
def command(
    context: typer.Context,
    port: Annotated[str | None, typer.Argument(metavar="[NAME | GUEST[:HOST][/udp]]")] = None,
    *,
    remove: Annotated[bool, typer.Option("--remove", help="Forward it no more.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show what listens inside, and what changes; end with Ctrl-C.")
    ] = False,
) -> None:
    """List the ports of this machine that lead inside, say where NAME answers, or forward port GUEST as well.

    They are open to this machine alone, on 127.0.0.1 and ::1. A taken port becomes the next free one, and stays that.
    Nothing is forwarded that nobody asked for, whatever listens inside.
    """
    invocation = invocation_of(context)
    if watch:
        if port is not None or remove:
            raise UsageError("--watch stands alone", hint="devbox port --watch")
        _watch(invocation)
    elif port is None:
        if remove:
            raise UsageError("no port is named that is to be removed", hint="devbox port --remove 8000")
        found = port_verb.listed(invocation.host, invocation.workspace)
        invocation.show({"ports": port_documents(found)}, _lines(found))
    elif remove:
        _remove(invocation, port)
    else:
        shown = port_verb.forward(invocation.host, invocation.workspace, port)
        document = {"changed": shown.changed, "ports": port_documents(shown.ports)}
        invocation.show(document, [endpoint(one) for one in shown.ports])


def _lines(found: tuple[PublishedPort, ...]) -> list[Line]:
    if not found:
        return ["no ports; devbox port 8000 forwards one"]
    rows: list[tuple[str | Span, ...]] = [tuple(Span(title, "dim") for title in ("NAME", "INSIDE", "HERE"))]
    rows += [(Span(one.name, "bold"), f"{one.guest_port}/{one.protocol}", address(one)) for one in found]
    return table(rows)


def _remove(invocation: Invocation, port: str) -> None:
    shown = port_verb.remove(invocation.host, invocation.workspace, port)
    there = f"there are: {', '.join(shown.others)}" if shown.others else "there is none"
    lines = [f"{endpoint(one)} leads inside no more" for one in shown.ports] or [f"no port is called {port}; {there}"]
    invocation.show({"changed": shown.changed, "ports": port_documents(shown.ports)}, lines)


def _watch(invocation: Invocation) -> None:
    if invocation.json:
        found = listeners.look(invocation.host, invocation.workspace)
        invocation.show({"listeners": [_document(one) for one in found]}, ())
        return
    with until_ctrl_c():
        for number, change in enumerate(listeners.watch(invocation.host, invocation.workspace)):
            lines = [*(_gone(one) for one in change.gone), *(_listens(one) for one in change.now)]
            invocation.terminal.result(lines or (["nothing listens inside"] if number == 0 else []))


def _document(one: Inside) -> dict[str, Any]:
    return {
        "port": one.port,
        "protocol": one.protocol,
        "addresses": list(one.addresses),
        "uid": one.uid,
        "forward": port_documents([one.forward])[0] if one.forward else None,
        "command": one.command if one.reachable else None,
    }


def _listens(one: Inside) -> Line:
    what = Span(f"{one.port}/{one.protocol}", "bold")
    if one.forward:
        return (what, Span(" listens inside; "), Span(address(one.forward), "good"), Span(" leads to it"))
    if not one.reachable:
        return (what, Span(f" listens inside on {', '.join(one.addresses)} alone, where no port can lead"))
    return (what, Span(" listens inside; to forward it: "), Span(one.command, "hint"))


def _gone(one: Inside) -> Line:
    return (Span(f"{one.port}/{one.protocol}", "bold"), Span(" listens no more"))
