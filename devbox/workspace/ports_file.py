"""The ports of this host that a Workspace has been given: kept, so that it gets the same ones the next time."""

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Final

from devbox import paths, record
from devbox.supervisor.protocol import ControlError, Forward, forwards

SCHEMA: Final = 1


def read(path_hash: str) -> tuple[Forward, ...]:
    """Return what is kept; nothing of a file that is damaged or of a newer devbox: it is a wish, not a promise."""
    try:
        document = json.loads(Path(paths.ports_file(path_hash)).read_text(encoding="utf-8"))
        return forwards(document["ports"]) if document["schema"] == SCHEMA else ()
    except (OSError, ValueError, KeyError, TypeError, RecursionError, ControlError):
        return ()


def write(path_hash: str, ports: Iterable[Forward]) -> None:
    """Keep `ports`; quietly not where nothing can be written, as the Record."""
    ports = tuple(ports)
    if ports == read(path_hash):
        return
    text = json.dumps({"schema": SCHEMA, "ports": [asdict(port) for port in ports]}, indent=1)
    with suppress(OSError):
        record.write_text(paths.ports_file(path_hash), text + "\n")


def forget(path_hash: str) -> None:
    """Keep nothing."""
    with suppress(OSError):
        Path(paths.ports_file(path_hash)).unlink()
