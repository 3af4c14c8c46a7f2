"""The digest of what an Environment is made from; needs no model of the profile, only its values."""

import hashlib
import json
from collections.abc import Mapping
from typing import Final

_NOT_MADE_OF: Final = frozenset({"tasks"})  # what is run inside, and changes nothing of what is there
_OTHERS: Final = "machines"  # are made from what their own digests say; its place stays, and so do the digests


def digest_of(values: Mapping[str, object]) -> str:
    """Return the SHA-256 (64 hex) of the effective `values` that an Environment is made from: of all but the tasks.

    Nor do the other machines of the project count.
    """
    made_of = {key: {} if key == _OTHERS else value for key, value in values.items() if key not in _NOT_MADE_OF}
    text = json.dumps(made_of, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
