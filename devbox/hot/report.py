"""`up` and `status` by the Record: what they print when there is nothing to do."""

from __future__ import annotations

import os
import sys

from devbox.agent import client, wire
from devbox.hot import show
from devbox.record import unpack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, TextIO

    from devbox.hot.words import Words

_OUTPUT_GONE = 141  # what a shell reports of a program that SIGPIPE ended
_CHANNEL = 1
_YEAR_10000 = 253_402_300_800


def report(words: Words, entry: Mapping[str, str], environ: Mapping[str, str]) -> int | None:
    """Print what `words` ask for and return the exit status; None if something is not as `up` left it."""
    answer = _ask(entry, wire.SESSIONS if words.verb == "status" else 0)
    if answer is None:
        return None
    ports = _ports(entry)
    if words.verb == "up":
        document = show.up_document(
            name=entry["name"], instance=entry["instance"], image=entry["image"], done=(), ports=ports
        )
        return _written(show.document(document) if words.json else show.NOTHING_TO_DO + "\n")
    sessions = _sessions(answer)
    if sessions is None:
        return None
    document = _status(entry, ports, sessions)
    if words.json:
        return _written(show.document(document))
    colour = _colour(sys.stdout, environ)
    done = _written("".join(show.painted(line, colour=colour) + "\n" for line in show.status_lines(document)))
    if done == 0 and not words.quiet:
        _say(show.painted(show.next_step(show.status_next(document)), colour=_colour(sys.stderr, environ)))
    return done


def _ask(entry: Mapping[str, str], question: int) -> bytes | None:
    """Return the agent's answer to a question, b"" if there is none; None if it is not the agent `up` spoke to."""
    transport = client.dial(entry["socket"])
    decoder = wire.Decoder()
    try:
        request = wire.frame(question, _CHANNEL) if question else b""
        hello, rest = client.hello(transport, entry["spec"], decoder, request)
        frames = list(rest)
        if hello.boot != entry["boot"]:
            return None
        if question and not frames:
            frames = [client.receive_first(transport, decoder)[0]]
        if question and frames[0][:2] != (question, _CHANNEL):
            return None
        return bytes(frames[0][2]) if question else b""
    except OSError:
        return None
    finally:
        transport.close()


def _sessions(payload: bytes) -> list[dict[str, Any]] | None:
    """Read the answer to SESSIONS; None if there is something in it that cannot be shown as it is."""
    found = wire.parse_sessions(payload)
    if not all(since < _YEAR_10000 and "".join(argv).isprintable() for _, _, since, _, argv in found):
        return None
    return [
        show.session_document(
            pid,
            uid,
            since,
            argv,
            terminal=bool(flags & wire.SESSION_TERMINAL),
            detached=bool(flags & wire.SESSION_DETACHED),
        )
        for pid, uid, since, flags, argv in found
    ]


def _ports(entry: Mapping[str, str]) -> list[dict[str, Any]]:
    rows = iter(unpack(entry["ports"]))
    return [
        show.port_document(name, host, int(port), int(guest), protocol)
        for name, host, port, guest, protocol in zip(rows, rows, rows, rows, rows, strict=True)
    ]


def _status(entry: Mapping[str, str], ports: list[Any], sessions: list[Any]) -> dict[str, Any]:
    return {
        "name": entry["title"],
        "workspace": entry["project"],
        "runtime": entry["runtime"] or "container",  # the Record of a devbox that knew no other
        "engine": entry["engine"],
        "state": "running",
        "saved": False,
        "stale": False,
        "instance": entry["instance"],
        "image": entry["image"],
        "profile_digest": entry["profile"],
        "ports": ports,
        "sessions": sessions,
        "problems": [],
        "machines": [],
    }


def _colour(stream: TextIO | None, environ: Mapping[str, str]) -> bool:
    """Whether `stream` may get colours; the rule of devbox.cli.terminal."""
    try:
        terminal = stream is not None and stream.isatty()
    except ValueError:  # closed
        return False
    return terminal and environ.get("TERM", "") not in ("", "dumb") and not environ.get("NO_COLOR")


def _written(text: str) -> int | None:
    """Write `text` to stdout; None if that cannot be, for a reason that has to be said."""
    if sys.stdout is None:
        return None
    data = text.encode(sys.stdout.encoding or "utf-8", "backslashreplace")
    try:
        while data:
            data = data[os.write(1, data) :]
    except BrokenPipeError:
        return _OUTPUT_GONE
    except OSError:
        return None
    return 0


def _say(text: str) -> None:
    if sys.stderr is None:
        return
    try:
        os.write(2, (text + "\n").encode(sys.stderr.encoding or "utf-8", "backslashreplace"))
    except OSError:
        return  # nobody is left to hear it, and nowhere to say so
