"""Secrets that somebody wrote into `[env]`, where everybody who can read the repository finds them."""

from collections.abc import Iterator

from devbox.errors import Problem
from devbox.profile.layers import Node, locate
from devbox.profile.model import Profile
from devbox.profile.tokens import has_token
from devbox.values import printable


def secrets_in_env(profile: Profile, root: Node) -> Iterator[Problem]:
    """Yield a warning for each variable whose value has the form of a well-known kind of token."""
    for name, value in profile.env.values.items():
        if has_token(value):
            origin, key = locate(root, ("env", name))
            yield Problem(
                message="looks like a secret, and everybody who can read the profile can read it",
                key=printable(key),
                file=origin.file,
                line=origin.line,
                hint=f'write a reference: [secrets] {name} = {{ env = "{name}" }}',
            )
