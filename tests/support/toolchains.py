"""A toolchain's share in a Recipe, carried out on the real engine: questions are asked, and the answers kept."""

from dataclasses import replace
from pathlib import Path

from devbox.build.languages.base import Setting
from devbox.build.layout import Storeys, lay_out
from devbox.build.recipe import Recipe, Step
from devbox.build.run import Builder, BuildOrder, Built
from devbox.build.steps.rundir import run_directory
from devbox.build.steps.user import user_account
from devbox.build.toolchains import toolchain
from devbox.engine.base import Engine
from devbox.profile.lock import Platform
from devbox.reporter import Reporter
from devbox.workspace.locking import Asking, close

STAND_INS = Path(__file__).parent / "standins"


def stand_in(tool: str) -> Step:
    """Return a step that makes a server's stand-in for `tool` in the image."""
    return Step(name="stand-in", key=tool, script=(STAND_INS / f"{tool}.sh").read_text(), network=False)


def recipe_with(setting: Setting, tool: str, platform: Platform, before: tuple[Step, ...] = ()) -> Recipe:
    """Return the Recipe of `before` and `tool`, as far as `platform` answers what has to be known."""
    part, base = toolchain(replace(setting, lock=platform), tool), setting.base
    path = ":".join([*part.path, dict(base.env)["PATH"]])
    bottom = tuple(step for step in (run_directory(base),) if step is not None)
    user = user_account(base, setting.user, path=path, env=part.env)
    storeys = Storeys(
        bottom=(*bottom, *before), user=user, links=part.chain, names=tuple(link.name for link in part.chain)
    )
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
    engine: Engine, reporter: Reporter, order: BuildOrder, setting: Setting, tool: str, before: tuple[Step, ...] = ()
) -> tuple[Built, Platform]:
    """Return the image with `tool`, and the Lock with the answers. The Recipe of `order` does not count."""
    asking = Asking(
        compose=lambda platform: recipe_with(setting, tool, platform, before),
        order=order,
        builder=Builder(engine, reporter),
        reporter=reporter,
    )
    closed = close(setting.lock, asking)
    return asking.builder.build(replace(order, recipe=closed.recipe)), closed.platform
