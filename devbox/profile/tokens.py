"""What gives a secret away: the form of the well-known kinds of token."""

import re
from typing import Final

_TOKENS: Final = re.compile(
    r"(?<![A-Za-z0-9])(?:gh[pousr]_|github_pat_|glpat-|npm_|pypi-|xox[abprs]-|sk-|sk_live_|hf_)[A-Za-z0-9_-]{16,}"
    r"|AKIA[0-9A-Z]{16}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\."
)


def has_token(text: str) -> bool:
    """Whether something in `text` has the form of a well-known kind of token."""
    return _TOKENS.search(text) is not None
