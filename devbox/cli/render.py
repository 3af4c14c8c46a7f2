"""Pieces that several verbs show in the same way. Pure."""

from collections.abc import Iterable
from typing import Any

from devbox.cli.text import Line, Span, table
from devbox.errors import Problem
from devbox.runtimes.base import PublishedPort


def port_documents(ports: Iterable[PublishedPort]) -> list[dict[str, Any]]:
    """Return `ports` as the contract has them."""
    return [
        {
            "name": port.name,
            "host": port.host,
            "host_port": port.host_port,
            "guest_port": port.guest_port,
            "protocol": port.protocol,
        }
        for port in ports
    ]


def port_lines(ports: Iterable[PublishedPort]) -> list[Line]:
    """Return a line per port, with an address that can be clicked on."""
    rows: list[tuple[str | Span, ...]] = [
        ("  port", Span(port.name, "bold"), address(port), Span(f"-> {port.guest_port} inside", "dim"))
        for port in ports
    ]
    return table(rows)


def address(port: PublishedPort) -> str:
    """Return where the port answers on this host, as `port_lines` shows it."""
    return show.address(port_documents([port])[0])


def endpoint(port: PublishedPort) -> str:
    """Return where the port answers on this host, for a script: `HOST:PORT`."""
    host = f"[{port.host}]" if ":" in port.host else port.host
    place = f"{host}:{port.host_port}"
    return f"http://{place}" if port.protocol == "tcp" else f"{place}/{port.protocol}"


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
