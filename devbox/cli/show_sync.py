"""What `devbox sync` shows to a person. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from devbox.cli.text import Line, Span, duration, table

Document = Mapping[str, Any]

_MOST: Final = 20  # paths of each kind that a status shows
_STYLES: Final = {"watching": "good", "mounted": "good", "halted": "error", "disconnected": "error", "ended": "error"}
_SAID: Final = {
    "mounted": "these files themselves are seen inside",
    "absent": "there is no environment",
    "stopped": "the environment is stopped",
    "ended": "nobody keeps both sides equal",
    "starting": "it begins",
    "scanning": "it looks at both sides",
    "syncing": "it brings files over",
    "watching": "both sides are equal, but for what is listed",
    "paused": "nothing is brought over until devbox sync resume",
    "disconnected": "one side cannot be reached",
}
_NEXT: Final = {
    "absent": "devbox up",
    "stopped": "devbox up",
    "ended": "devbox up",
    "paused": "devbox sync resume",
    "halted": "look at what happened; devbox sync confirm, if it is meant",
    "disconnected": "devbox logs --supervisor",
}


def status_lines(found: Document, directory: str, now: float) -> list[Line]:
    """Return the lines of `devbox sync`."""
    lines = state_lines(found)
    if found["mode"] in (None, "mount") or found["state"] in ("absent", "stopped", "ended"):
        return lines
    lines.append(f"  {directory}: {found['entries']} entries, {found['pending']} to do")
    lines.append(f"  brought over: {_files(found['files'])} of {_size(found['bytes'])}; {found['removed']} removed")
    if found["last_verify"]:
        lines.append(f"  all of it read {duration(max(0.0, now - found['last_verify']))} ago")
    lines += [(Span("warning: ", "warn"), Span(text)) for text in found["warnings"]]
    lines += _section("conflicts", found["conflicts"])
    lines += _section("stays where it is", found["kept"])
    lines += _troubles(found["troubles"])
    return lines


def state_lines(found: Document) -> list[Line]:
    """Return what it does, on one line."""
    state = str(found["state"])
    said = found["reason"] or _SAID.get(state, "")
    return [(Span(f"{found['mode'] or 'sync'}: "), Span(state, _STYLES.get(state, "bold")), Span(f", {said}"))]


def status_next(found: Document) -> str:
    """Return what to type next; empty if nothing needs to be done."""
    if found["conflicts"]:
        return "devbox sync resolve PATH --keep host|guest"
    return _NEXT.get(str(found["state"]), "")


def flush_lines(found: Document) -> list[Line]:
    """Return what a flush came to."""
    if found["settled"] and not found["conflicts"]:
        return ["both sides are equal"]
    if found["settled"]:
        return conflict_lines(found)
    return [*state_lines(found), f"  {found['pending']} to do", *_section("conflicts", found["conflicts"])]


def conflict_lines(found: Document) -> list[Line]:
    """Return every conflict, and what else stays on one side."""
    lines = difference_lines(found["conflicts"])
    if found["kept"]:
        lines += ["", "stays where it is:", *difference_lines(found["kept"])]
    return lines or ["no conflicts"]


def difference_lines(entries: Iterable[Document]) -> list[Line]:
    """Return a line for each path, with what is on either side."""
    rows: list[Sequence[str | Span]] = [
        (Span(str(one["path"]), "bold"), f"here: {one['host'] or '-'}", f"inside: {one['guest'] or '-'}", one["why"])
        for one in entries
    ]
    return table(rows)


def batch_lines(batches: Sequence[Document], now: float) -> list[Line]:
    """Return a line for each undo that is possible."""
    rows: list[Sequence[str | Span]] = [tuple(Span(title, "dim") for title in ("ID", "AGO", "PATHS"))]
    rows += [(Span(one["id"], "bold"), duration(max(0.0, now - one["when"])), _paths(one["paths"])) for one in batches]
    return table(rows) if batches else ["nothing was replaced or removed here"]


def _paths(paths: Sequence[str]) -> str:
    return f"{paths[0]} and {len(paths) - 1} more" if len(paths) > 1 else "".join(paths)


def _section(title: str, entries: Sequence[Document]) -> list[Line]:
    if not entries:
        return []
    lines = difference_lines(entries[:_MOST])
    more = [f"  ... and {len(entries) - _MOST} more"] if len(entries) > _MOST else []
    return [(Span(f"{title} ({len(entries)})", "bold"),), *lines, *more]


def _troubles(troubles: Sequence[Document]) -> list[Line]:
    rows = [(one["path"], one["side"], one["text"]) for one in troubles[:_MOST]]
    return [(Span(f"does not work ({len(troubles)})", "bold"),), *table(rows)] if troubles else []


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count} bytes"
