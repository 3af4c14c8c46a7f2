"""Whether anything that a plan was made from has changed since: the inputs' state on disk, and what is around them."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Final

from devbox.hot import inputs

_MARGIN: Final = 50_000_000  # nanoseconds; two changes within the file system's clock tick look like one


def signature(files: Iterable[str], *, environ: Mapping[str, str], uid: int, gid: int) -> str:
    """Return a digest (64 hex) of the state of `files`, there or not, of what else decides, and of this devbox."""
    values = [inputs.around(environ, uid=uid, gid=gid), *inputs.states(files)]
    return hashlib.sha256(json.dumps(values).encode("utf-8", "surrogateescape")).hexdigest()


def settled(files: Iterable[str], *, before: int) -> bool:
    """Whether no one of `files` has been changed since `before` (nanoseconds of the system's clock) or just before.

    Only then is their state now the one in which they were read.
    """
    return all(inputs.changed_at(name) < before - _MARGIN for name in files)
