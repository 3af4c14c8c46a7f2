"""How snapshots are shown. Pure."""

import time
from collections.abc import Sequence
from typing import Any

from devbox.cli.text import Line, Span, table
from devbox.runtimes.snapshots import Snapshot
from devbox.values import format_size


def snapshot_document(one: Snapshot) -> dict[str, Any]:
    """Return a snapshot as the contract has it."""
    return {
        "name": one.name,
        "saved": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(one.saved)),
        "bytes": one.size,
        "memory": one.running,
        "pushed": one.pushed,
        "problem": one.problem or None,
    }


def title(one: Snapshot) -> str:
    """Return it in a few words."""
    return f"{one.name} ({format_size(one.size)}, {_what(one)})"


def lines(found: Sequence[Snapshot], now: float) -> list[Line]:
    """Return a table, the oldest first."""
    if not found:
        return ["no snapshots; devbox snapshot save NAME keeps one"]
    rows: list[tuple[str | Span, ...]] = [tuple(Span(word, "dim") for word in ("NAME", "SAVED", "SIZE", "HOLDS"))]
    for one in found:
        what = Span(_what(one), "error" if one.problem else "")
        rows.append((Span(one.name, "bold"), _ago(now - one.saved) if one.saved else "-", format_size(one.size), what))
    return table(rows)


def _what(one: Snapshot) -> str:
    if one.problem:
        return f"damaged: {one.problem}"
    return "disks and memory" if one.running else "disks"


def _ago(seconds: float) -> str:
    """Return how long ago that is, in words."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return "just now"
