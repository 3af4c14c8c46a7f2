"""The shape of a language's share in a Recipe. Pure values.

A language is a function from a `Setting` to a `Part`. What only a look into the container can tell (which version a
range comes to, what a manifest without a lock file resolves to) it asks by a `Question`; the answers stand in the Lock,
so that the Recipe stays a pure function of profile, files and Lock.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from devbox.build.inputs import Inputs
from devbox.build.recipe import BaseImage, Question, Step
from devbox.profile.lock import Platform
from devbox.profile.model import Profile
from devbox.values import GuestUser


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a language's steps are planned from. `directory`: the project inside, "/workspaces/shop"."""

    profile: Profile
    base: BaseImage
    inputs: Inputs
    user: GuestUser
    directory: str
    lock: Platform = field(default_factory=Platform)

    def answer(self, question: Question) -> tuple[str, ...] | None:
        """Return the Lock's answer to `question`; None if there is none, or one to something else than is asked now."""
        known = self.lock.answers.get(question.key)
        return known.lines if known is not None and known.asked == question.asked else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A language's share.

    `system`: packages of the base's own manager, installed with all the others. `path`: directories that go before
    PATH. `env`: variables of the image. `chain`: the steps in their order; it ends with the first `Question` that the
    Lock does not answer. `volumes`: directories of the project, relative, whose content stays inside; a volume of its
    own is mounted there, filled from the image if that holds the directory.
    """

    system: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    chain: tuple[Step | Question, ...] = ()
    volumes: tuple[str, ...] = ()


Language = Callable[[Setting], Part | None]
"""Return the share of one language in the Recipe, None where the profile does not ask for it.

Raises `ToolchainError` for a version that cannot be had, `ProfileError` for manifests that contradict each other."""


def joined(*parts: Part) -> Part:
    """Return several shares as one, in their order."""
    return Part(
        system=tuple(name for part in parts for name in part.system),
        path=tuple(place for part in parts for place in part.path),
        env=tuple(pair for part in parts for pair in part.env),
        chain=tuple(link for part in parts for link in part.chain),
        volumes=tuple(name for part in parts for name in part.volumes),
    )
