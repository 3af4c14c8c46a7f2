"""A toolchain's share in a Recipe, carried out on the real engine: questions are asked, and the answers kept."""

from collections.abc import Callable
from dataclasses import replace

from devbox.build.languages.base import Setting
from devbox.build.layout import Storeys, lay_out
from devbox.build.recipe import Recipe
from devbox.build.run import Builder, BuildOrder, Built
from devbox.build.steps.rundir import run_directory
from devbox.build.steps.user import user_account
from devbox.build.toolchains import toolchain
from devbox.engine.base import Engine
from devbox.profile.lock import Platform
from devbox.reporter import Reporter
from devbox.workspace.locking import close


def recipe_with(setting: Setting, tool: str, platform: Platform) -> Recipe:
    """Return the Recipe of nothing but `tool`, as far as `platform` answers what has to be known."""
    part, base = toolchain(replace(setting, lock=platform), tool), setting.base
    path = ":".join([*part.path, dict(base.env)["PATH"]])
    bottom = tuple(step for step in (run_directory(base),) if step is not None)
    user = user_account(base, setting.user, path=path, env=part.env)
    names = tuple(link.name for link in part.chain)
    storeys = Storeys(bottom=bottom, user=user, links=part.chain, names=names)
    layout = lay_out(base, storeys, wanted=part.system, lock=platform)
    return Recipe(
        base=base.id,
        base_layers=base.layers,
        epoch=base.epoch,
        steps=layout.steps,
        env=base.env,
        open=layout.open,
        pending=layout.pending,
        lock=layout.lock,
    )


def carry_out(
    engine: Engine, reporter: Reporter, order: Callable[[Recipe], BuildOrder], setting: Setting, tool: str
) -> tuple[Built, Platform]:
    """Return the image with `tool`, and the Lock with the answers."""
    builder = Builder(engine, reporter)
    closed = close(
        setting.lock,
        compose=lambda platform: recipe_with(setting, tool, platform),
        order=order,
        builder=builder,
        reporter=reporter,
        strict=False,
    )
    return builder.build(order(closed.recipe)), closed.platform
