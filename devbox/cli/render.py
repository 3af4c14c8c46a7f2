"""Pieces that several verbs show in the same way. Pure."""

from collections.abc import Iterable
from typing import Any

from devbox.agent.protocol import GuestSession
from devbox.cli.text import Line, Span, as_lines, escaped
from devbox.errors import Problem
from devbox.hot import show
from devbox.runtimes.base import PublishedPort


def port_documents(ports: Iterable[PublishedPort]) -> list[dict[str, Any]]:
    """Return `ports` as the contract has them."""
    return [show.port_document(port.name, port.host, port.host_port, port.guest_port, port.protocol) for port in ports]


def port_lines(ports: Iterable[PublishedPort]) -> list[Line]:
    """Return a line per port, with an address that can be clicked on."""
    return as_lines(show.port_lines(escaped(port_documents(ports))))


def address(port: PublishedPort) -> str:
    """Return where the port answers on this host, as `port_lines` shows it."""
    return show.address(port_documents([port])[0])


def endpoint(port: PublishedPort) -> str:
    """Return where the port answers on this host, for a script: `HOST:PORT`."""
    host = f"[{port.host}]" if ":" in port.host else port.host
    return f"{host}:{port.host_port}"


def session_documents(sessions: Iterable[GuestSession]) -> list[dict[str, Any]]:
    """Return what runs inside as the contract has it."""
    return [
        show.session_document(
            session.pid,
            session.uid,
            session.started,
            [_text(item) for item in session.argv],
            terminal=session.terminal,
            detached=session.detached,
        )
        for session in sessions
    ]


def _text(item: str) -> str:
    """Return `item` without the bytes that are no UTF-8."""
    return item.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def next_step(text: str) -> Line:
    """Return the line that says what to type next."""
    return (Span("next: ", "hint"), Span(text))


def problem_document(problem: Problem) -> dict[str, Any]:
    """Return `problem` as the contract has it."""
    return {
        "file": problem.file,
        "line": problem.line,
        "key": problem.key,
        "message": problem.message,
        "hint": problem.hint,
    }


def problem_line(problem: Problem) -> Line:
    """Return `problem` on one line: `file:line: key: message; hint`."""
    place = ":".join(str(part) for part in (problem.file, problem.line) if part is not None)
    where = ": ".join(part for part in (place, problem.key) if part)
    spans = [Span(f"{where}: ", "bold")] if where else [Span("  ")]
    spans.append(Span(flat(problem.message)))
    if problem.hint:
        spans.append(Span(f"; {flat(problem.hint)}", "hint"))
    return tuple(spans)


def flat(text: str) -> str:
    """Return `text` on one line: what comes from outside must not look like lines of ours."""
    return " ".join(text.split("\n"))
