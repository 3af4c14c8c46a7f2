"""A toolchain's share in a Recipe, carried out on the real engine: questions are asked, and the answers kept."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from devbox.build.context import Delivery, stream
from devbox.build.inputs import Inputs
from devbox.build.languages.base import Part, Setting
from devbox.build.recipe import BaseImage, Question, Recipe, Step
from devbox.build.run import Builder, BuildOrder
from devbox.build.stepping import StepJob, request_for
from devbox.build.steps.rundir import run_directory
from devbox.build.steps.system import system_packages
from devbox.build.toolchains import toolchain
from devbox.engine.base import Engine
from devbox.profile.lock import Answer, Platform
from devbox.reporter import Reporter


def carry_out(
    engine: Engine, reporter: Reporter, order: BuildOrder, setting: Setting, tool: str
) -> tuple[str, Part, Platform]:
    """Return the image with `tool`, the share, and the Lock with the answers. `order`: its Recipe does not count."""
    while True:
        part = toolchain(setting, tool)
        steps = [link for link in part.chain if isinstance(link, Step)]
        system = system_packages(setting.base, part.system)
        first = [step for step in (run_directory(setting.base), system) if step is not None]
        recipe = recipe_of(setting.base, [*first, *steps], part)
        built = Builder(engine, reporter).build(replace(order, recipe=recipe))
        question = next((link for link in part.chain if isinstance(link, Question)), None)
        if question is None:
            return built.image, part, setting.lock
        status, said, complained = ask(engine, replace(order, recipe=recipe), question, built.image)
        if status != 0:
            raise Unanswered(status, complained)
        answers = {**setting.lock.answers, question.key: Answer(asked=question.asked, lines=tuple(said.splitlines()))}
        setting = replace(setting, lock=Platform(answers=answers))


class Unanswered(Exception):
    """A question's script ended with another status than 0."""

    def __init__(self, status: int, complained: str) -> None:
        super().__init__(complained)
        self.status = status


def recipe_of(base: BaseImage, steps: list[Step], part: Part) -> Recipe:
    """Return a Recipe of `steps` whose image has the variables of `part`."""
    path = ":".join([*part.path, dict(base.env)["PATH"]])
    last = Step(name="variables", key="env", script="", env=(*part.env, ("PATH", path)))
    return Recipe(base=base.id, base_layers=base.layers, epoch=base.epoch, steps=(*steps, last), env=base.env)


def ask(engine: Engine, order: BuildOrder, question: Question, image: str) -> tuple[int, str, str]:
    """Return status, stdout and stderr of a question's script in a container of `image`."""
    step = Step(name=question.name, key=question.key, script=question.script, caches=question.caches)
    delivery = Delivery(epoch=order.recipe.epoch, ca_bundle=order.ca_bundle)
    job = StepJob(
        step=step,
        digest="0" * 64,
        image=image,
        env=order.recipe.env,
        command=("true",),
        labels=order.labels,
        delivery=delivery,
        log=Path("/dev/null"),
        failed_reference="",
    )
    container = engine.create(request_for(job))
    said: Mapping[int, bytearray] = {1: bytearray(), 2: bytearray()}
    try:
        attached = engine.attach(container)
        try:
            engine.start(container)
            for chunk in stream(delivery, Inputs(directory=Path("/"))):
                attached.send(chunk)
            attached.close_stdin()
            while (frame := attached.receive()) is not None:
                said[frame[0]].extend(frame[1])
        finally:
            attached.close()
        status = engine.wait(container)
    finally:
        engine.remove(container)
    return status, said[1].decode(), said[2].decode()
