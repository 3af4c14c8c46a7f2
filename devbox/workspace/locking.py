"""From a Lock that may know little to a Recipe without an open question: plan, ask, and plan again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from devbox.build.layers import is_deep
from devbox.build.layout import folded, renewed, settle
from devbox.build.recipe import BaseImage, Recipe
from devbox.build.run import Builder, BuildOrder, Built
from devbox.build.steps import vm
from devbox.build.steps.apt import FRESH_VARIABLE
from devbox.errors import LockGoneError, LockStaleError, Problem
from devbox.profile.lock import Answer, Lock, LockedBase, Platform
from devbox.reporter import Reporter
from devbox.workspace.locks import architecture

Compose = Callable[[Platform], Recipe]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """How a plan is made and what it leaves open is found out. `order`: for a Recipe that is still to be found.

    `strict`: nothing is asked.
    """

    compose: Compose
    order: BuildOrder
    builder: Builder
    reporter: Reporter
    strict: bool = False

    def anew(self) -> "Asking":
        """Return one that does not answer from what was fetched an hour ago."""
        environ = {**self.order.environ, FRESH_VARIABLE: "1"}
        return replace(self, order=replace(self.order, environ=environ))


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """A Recipe that is known whole, and the Lock that it was made from."""

    recipe: Recipe
    platform: Platform


def platform_for(lock: Lock | None, base: BaseImage, *, reporter: Reporter, strict: bool) -> Platform:
    """Return what `lock` says for `base`; of another base only the answers are kept, as far as they fit.

    `strict`: raise `LockGoneError` if it is another than the Lock has.
    """
    known = (lock or Lock()).platforms.get(architecture(base.architecture), Platform())
    here = LockedBase(reference=base.reference, digest=base.digest, epoch=base.epoch if base.digest else 0)
    if known.base is None or known.base == here:
        return replace(known, base=here)
    if strict:
        raise _other_base(known.base, base)
    if known.base.reference == here.reference and known.groups:
        reporter.note(f"{here.reference} is another one than in devbox.lock: system packages are looked up again")
    return replace(known, base=here, groups=(), steps=(), content="")


def carry_out(platform: Platform, asking: Asking) -> tuple[Locked, Built]:
    """Return the Recipe that is known whole, see `close`, and the Image made of it.

    Packages of the Lock that are gone are looked up again, the others keep their versions; unless it is `strict`.
    """
    with asking.builder:
        return _carry_out(platform, asking)


def _carry_out(platform: Platform, asking: Asking) -> tuple[Locked, Built]:
    gone: frozenset[str] = frozenset()
    while True:
        try:
            whole = close(platform, asking)
            return whole, asking.builder.build(replace(asking.order, recipe=whole.recipe))
        except LockGoneError as error:
            new = frozenset(error.packages) - gone
            if asking.strict or not new:
                raise
            said = "; ".join(problem.message for problem in error.problems)
            asking.reporter.warn(f"{said}: looked up again, with what it needs")
            gone |= new
            platform = vm.without_gone(replace(platform, groups=renewed(platform.groups, new)), new)
            asking = asking.anew()


def close(platform: Platform, asking: Asking) -> Locked:
    """Return the Recipe in which every question is answered, by the Lock or by asking.

    An image that would get too deep has its groups of packages folded. `strict`: nothing is asked, and `LockStaleError`
    is raised for what the Lock does not answer.
    """
    recipe = asking.compose(platform)
    while recipe.open is not None:
        if asking.strict:
            problem = Problem(message=f"the lock does not say: {recipe.open.name}", key=recipe.open.key)
            raise LockStaleError("devbox.lock is incomplete", problems=[problem], hint="complete it: devbox lock")
        lines = asking.builder.ask(replace(asking.order, recipe=recipe))
        platform = _answered(platform, recipe, lines)
        recipe = asking.compose(platform)
    groups = recipe.lock.groups
    flat = folded(groups)
    if is_deep(recipe) and flat != groups and not asking.strict:
        asking.reporter.note(f"{len(groups)} groups of system packages are folded, before the image gets too deep")
        return close(replace(recipe.lock, groups=flat, steps=()), asking)
    return Locked(recipe=recipe, platform=recipe.lock)


def _answered(platform: Platform, recipe: Recipe, lines: Sequence[str]) -> Platform:
    assert recipe.open is not None, "there was a question"
    if recipe.pending is not None:
        return settle(recipe.lock, recipe.pending, lines)
    answer = Answer(asked=recipe.open.asked, lines=tuple(lines))
    return replace(platform, answers={**platform.answers, recipe.open.key: answer})


def without_unasked(locked: Locked, compose: Compose) -> Platform:
    """Return the Lock of `locked` without answers that nobody asks for any more: the Recipe is the same without.

    What a machine is made of stays: the container of the same profile does not ask for it.
    """
    platform = locked.platform
    for key in sorted(set(platform.answers) - {vm.ANSWER}):
        fewer = replace(platform, answers={name: one for name, one in platform.answers.items() if name != key})
        if _same(compose(fewer), locked.recipe):
            platform = fewer
    return platform


def _same(first: Recipe, second: Recipe) -> bool:
    return replace(first, lock=Platform()) == replace(second, lock=Platform())


def _other_base(wanted: LockedBase, base: BaseImage) -> LockGoneError:
    message = f"{wanted.reference} as it was locked ({wanted.digest[:19]}) cannot be had"
    detail = f"what can be had: {base.said} ({base.digest[:19]})"
    hint = "lock the base of today: devbox lock --update"
    if wanted.epoch:
        detail += "; the archive has moved on, and no image made from it then is on this engine"
    return LockGoneError(message, detail=detail, hint=hint, problems=[Problem(message=message, key="base.image")])
