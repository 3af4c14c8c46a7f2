"""What `up` and `status` show, for a person and for a machine: one rendering for the hot path and for the others. Pure.

A line is a list of pieces `(text, style)`; what is in the texts is fit for a terminal already.
"""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    Piece = tuple[str, str]
    Pieces = Sequence[Piece]

SCHEMA = 1
ANSI = {"": "", "bold": "1", "dim": "2", "error": "1;31", "warn": "33", "good": "32", "hint": "36"}
NOTHING_TO_DO = "nothing to do"
_STATES = {"running": "good", "broken": "error"}
_NEXT = {"running": "devbox shell"}
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}


def painted(line: Pieces, *, colour: bool) -> str:
    """Return `line` as it is written, without its line end."""
    return "".join(
        f"\x1b[{ANSI[style]}m{text}\x1b[0m" if colour and ANSI[style] and text else text for text, style in line
    )


def table(rows: Sequence[Pieces], *, gap: int = 2) -> list[list[Piece]]:
    """Return `rows` as lines with columns as wide as their widest cell; the last column is not padded."""
    columns = max((len(row) for row in rows), default=0)
    widths = [max((len(row[at][0]) for row in rows if at < len(row)), default=0) for at in range(columns)]
    return [
        [(text.ljust(widths[at] + gap) if at < len(row) - 1 else text, style) for at, (text, style) in enumerate(row)]
        for row in rows
    ]


def next_step(text: str) -> list[Piece]:
    """Return the line that says what to type next."""
    return [("next: ", "hint"), (text, "")]


def up_document(
    *, name: str, instance: str, image: str, done: Sequence[str], ports: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return what `up --json` prints."""
    return {
        "changed": bool(done),
        "done": list(done),
        "name": name,
        "instance": instance,
        "image": image,
        "ports": list(ports),
    }


def port_document(name: str, host: str, host_port: int, guest_port: int, protocol: str) -> dict[str, Any]:
    """Return a port as the contract has it."""
    return {"name": name, "host": host, "host_port": host_port, "guest_port": guest_port, "protocol": protocol}


def port_lines(ports: Iterable[Mapping[str, Any]]) -> list[list[Piece]]:
    """Return a line per port, with an address that can be clicked on."""
    return table(
        [
            [("  port", ""), (port["name"], "bold"), (address(port), ""), (f"-> {port['guest_port']} inside", "dim")]
            for port in ports
        ]
    )


def address(port: Mapping[str, Any]) -> str:
    """Return where the port answers on this host; a TCP port as a URL, since most are of web servers."""
    host = f"[{port['host']}]" if ":" in port["host"] else port["host"]
    place = f"{host}:{port['host_port']}"
    return f"http://{place}" if port["protocol"] == "tcp" else f"{place}/{port['protocol']}"


def session_document(
    pid: int, uid: int, since: int, argv: Sequence[str], *, terminal: bool, detached: bool
) -> dict[str, Any]:
    """Return a process that was started inside as the contract has it; `since` in seconds since 1970."""
    return {
        "pid": pid,
        "user": uid,
        "since": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(since)),
        "terminal": terminal,
        "detached": detached,
        "command": list(argv),
    }


def status_lines(status: Mapping[str, Any]) -> list[list[Piece]]:
    """Return the document of `status` for a person, but for its problems."""
    rows: list[list[Piece]] = [
        [("name", "dim"), (status["name"], "bold")],
        [("state", "dim"), (state_word(status), state_style(status))],
        [("workspace", "dim"), (status["workspace"], "")],
        [("engine", "dim"), (status["engine"], "")],
    ]
    if status["instance"]:
        rows.append([("instance", "dim"), (status["instance"][:12], "")])
    if status["image"]:
        rows.append([("image", "dim"), (status["image"].removeprefix("sha256:")[:12], "")])
    lines = table(rows)
    if status["state"] == "running":
        lines += port_lines(status["ports"])
    return lines + session_lines(status)


def state_word(status: Mapping[str, Any]) -> str:
    """Return the state of the document of `status` for a person."""
    state = f"{status['state']}, saved: what ran goes on" if status["saved"] else str(status["state"])
    return state + (", stale: the profile has changed since" if status["stale"] else "")


def state_style(status: Mapping[str, Any]) -> str:
    """Return how that looks."""
    return "warn" if status["stale"] else _STATES.get(status["state"], "")


def session_lines(status: Mapping[str, Any]) -> list[list[Piece]]:
    """Return a line for each process that was started inside."""
    return table([_session_row(session) for session in status["sessions"]])


def _session_row(session: Mapping[str, Any]) -> list[Piece]:
    how = "detached" if session["detached"] else "on a terminal" if session["terminal"] else "attached"
    return [
        ("  session", ""),
        (str(session["pid"]), ""),
        (" ".join(session["command"]), "bold"),
        (how, "dim"),
    ]


def status_next(status: Mapping[str, Any]) -> str:
    """Return what to type after `status`."""
    if status["saved"] and not status["stale"]:
        return "devbox resume"
    return "devbox up" if status["stale"] else _NEXT.get(status["state"], "devbox up")


def document(values: Mapping[str, Any]) -> str:
    """Return the one JSON document of a verb, as `json.dumps` with `indent=2` writes it."""
    return _json({"schema": SCHEMA, **values}, "\n") + "\n"


def _json(value: Any, newline: str) -> str:  # noqa: ANN401 (JSON)
    if value is None or value is True or value is False:
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return quoted(value)
    inner = newline + "  "
    if isinstance(value, dict):
        items = [f"{quoted(name)}: {_json(item, inner)}" for name, item in value.items()]
        return "{" + inner + f",{inner}".join(items) + newline + "}" if items else "{}"
    items = [_json(item, inner) for item in value]
    return "[" + inner + f",{inner}".join(items) + newline + "]" if items else "[]"


def quoted(text: str) -> str:
    """Return `text` as a JSON string of ASCII characters."""
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return '"' + "".join(_ESCAPES.get(char) or _coded(char) for char in text) + '"'


def _coded(char: str) -> str:
    code = ord(char)
    if 0x20 <= code < 0x7F:
        return char
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
