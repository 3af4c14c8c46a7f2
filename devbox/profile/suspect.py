"""Secrets that somebody wrote into `[env]`, where everybody who can read the repository finds them."""

import re
from collections.abc import Iterator
from typing import Final

from devbox.errors import Problem
from devbox.profile.layers import Node, locate
from devbox.profile.model import Profile
from devbox.values import printable

_TOKENS: Final = re.compile(
    r"(?<![A-Za-z0-9])(?:gh[pousr]_|github_pat_|glpat-|npm_|pypi-|xox[abprs]-|sk-|sk_live_|hf_)[A-Za-z0-9_-]{16,}"
    r"|AKIA[0-9A-Z]{16}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\."
)


def secrets_in_env(profile: Profile, root: Node) -> Iterator[Problem]:
    """Yield a warning for each variable whose value has the form of a well-known kind of token."""
    for name, value in profile.env.values.items():
        if _TOKENS.search(value):
            origin, key = locate(root, ("env", name))
            yield Problem(
                message="looks like a secret, and everybody who can read the profile can read it",
                key=printable(key),
                file=origin.file,
                line=origin.line,
                hint=f'write a reference: [secrets] {name} = {{ env = "{name}" }}',
            )
