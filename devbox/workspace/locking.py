"""From a Lock that may know little to a Recipe without an open question: plan, ask, and plan again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from devbox.build.layers import is_deep
from devbox.build.layout import folded, settle
from devbox.build.recipe import BaseImage, Recipe
from devbox.build.run import Builder, BuildOrder
from devbox.errors import LockGoneError, LockStaleError, Problem
from devbox.profile.lock import Answer, Lock, LockedBase, Platform
from devbox.profile.model import Profile
from devbox.reporter import Reporter
from devbox.workspace.locks import architecture

Compose = Callable[[Platform], Recipe]
Order = Callable[[Recipe], BuildOrder]


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """A Recipe that is known whole, and the Lock that it was made from."""

    recipe: Recipe
    platform: Platform


def platform_for(lock: Lock | None, base: BaseImage, *, strict: bool) -> Platform:
    """Return what `lock` says for `base`; of another base only the answers are kept, as far as they fit.

    `strict`: raise `LockGoneError` if it is another than the Lock has.
    """
    known = (lock or Lock()).platforms.get(architecture(base.architecture), Platform())
    here = LockedBase(reference=base.reference, digest=base.digest, epoch=base.epoch if base.digest else 0)
    if known.base is None or known.base == here:
        return replace(known, base=here)
    if strict:
        raise _other_base(known.base, base)
    return replace(known, base=here, groups=(), steps=(), content="")


def close(
    platform: Platform, *, compose: Compose, order: Order, builder: Builder, reporter: Reporter, strict: bool
) -> Locked:
    """Return the Recipe that `compose` makes when every question is answered, by the Lock or by asking.

    An image that would get too deep has its groups of packages folded. `strict`: nothing is asked, and `LockStaleError`
    is raised for what the Lock does not answer.
    """
    recipe = compose(platform)
    while recipe.open is not None:
        if strict:
            problem = Problem(message=f"the lock does not say: {recipe.open.name}", key=recipe.open.key)
            raise LockStaleError("devbox.lock is incomplete", problems=[problem], hint="complete it: devbox lock")
        lines = builder.ask(order(recipe))
        platform = _answered(platform, recipe, lines)
        recipe = compose(platform)
    groups = recipe.lock.groups
    if is_deep(recipe) and len(groups) > 1 and not strict:
        reporter.note(f"{len(groups)} groups of system packages are folded into one, before the image gets too deep")
        flat = replace(recipe.lock, groups=folded(groups), steps=())
        return close(flat, compose=compose, order=order, builder=builder, reporter=reporter, strict=strict)
    return Locked(recipe=recipe, platform=recipe.lock)


def _answered(platform: Platform, recipe: Recipe, lines: Sequence[str]) -> Platform:
    assert recipe.open is not None, "there was a question"
    if recipe.pending is not None:
        return settle(recipe.lock, recipe.pending, lines)
    answer = Answer(asked=recipe.open.asked, lines=tuple(lines))
    return replace(platform, answers={**platform.answers, recipe.open.key: answer})


def for_profile(platform: Platform, profile: Profile) -> Platform:
    """Return `platform` without answers about languages that the profile does not ask for any more."""
    kept = {key: answer for key, answer in platform.answers.items() if _is_wanted(key, profile)}
    return replace(platform, answers=kept)


def _is_wanted(key: str, profile: Profile) -> bool:
    """Whether the profile still asks for the language that an answer is about ("python.packages")."""
    return getattr(profile.packages, key.partition(".")[0], None) is not None


def _other_base(wanted: LockedBase, base: BaseImage) -> LockGoneError:
    message = f"{wanted.reference} as it was locked ({wanted.digest[:19]}) cannot be had"
    detail = f"what can be had: {base.said} ({base.digest[:19]})"
    hint = "lock the base of today: devbox lock --update"
    if wanted.epoch:
        detail += "; the archive has moved on, and no image made from it then is on this engine"
    return LockGoneError(message, detail=detail, hint=hint, problems=[Problem(message=message, key="base.image")])
