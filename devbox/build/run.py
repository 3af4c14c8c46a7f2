"""Builder: a Recipe becomes an Image on an engine, step by step, each kept for the next build."""

import contextlib
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from devbox.build.asking import Standing, ask
from devbox.build.context import Delivery
from devbox.build.early import Early, as_text
from devbox.build.failed import failed_reference
from devbox.build.gone import gone_error
from devbox.build.inputs import Inputs
from devbox.build.layers import Start, check_depth, find_start
from devbox.build.log import fresh_directory, log_name
from devbox.build.recipe import STATUS_BASE, STATUS_GONE, STATUS_TOOLCHAIN, Question, Recipe, Step
from devbox.build.stepping import Outcome, StepJob, remove_quietly, request_for, run_step
from devbox.engine.base import Engine, Labels
from devbox.errors import (
    BaseImageError,
    BuildFailedError,
    DevboxError,
    EngineError,
    Problem,
    SecretMissingError,
    ToolchainError,
)
from devbox.reporter import Progress, Reporter
from devbox.values import LABEL_OWNER, LABEL_RECIPE, LABEL_ROLE, LABEL_WORKSPACE, ROLE_STEP

_SHOWN = 400  # characters of a command in a message


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """An Image. `run`: names of the steps that ran; `reused`: how many did not have to."""

    image: str  # image id
    reference: str  # devbox/<slug>:<12 hex>
    digest: str  # of the Recipe, 64 hex
    run: tuple[str, ...]
    reused: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOrder:
    """What a build is given. `labels`: workspace, owner, schema, name; `secrets`: by variable name."""

    recipe: Recipe
    inputs: Inputs
    labels: Labels
    repository: str  # devbox/<slug>
    log_directory: Path
    secrets: Mapping[str, str]
    ca_bundle: bytes | None = None
    no_cache: bool = False
    standing: tuple[str, ...] = ()  # ids of images that the Workspace's Instances stand on
    environ: Mapping[str, str] = field(default_factory=dict)  # what steps are told of this host; no part of a digest

    def __repr__(self) -> str:
        """Return it without any secret."""
        return f"BuildOrder({self.repository}, {len(self.recipe.steps)} steps)"


class Builder:
    """Builds Recipes on one engine. The caller holds the Workspace's lock.

    Within a `with` it keeps the container of a question for the step that the answer leads to.
    """

    def __init__(self, engine: Engine, reporter: Reporter, *, early: Early | None = None) -> None:
        self._engine = engine
        self._early = early  # for the first question
        self._reporter = reporter
        self._made: dict[str, str] = {}  # what this Builder has run or found: digest to image
        self._ran: list[str] = []  # names of these steps
        self._keeps = False
        self._standing: Standing | None = None

    def __enter__(self) -> Self:
        self._keeps = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._keeps = False
        self.let_go()

    def build(self, order: BuildOrder) -> Built:
        """Return the Image of the order's Recipe; steps whose layer the engine holds do not run.

        Safe to repeat after a kill at any point. Raises `BuildFailedError` for a step that fails (its state is then
        kept as `<repository>:failed`), `ToolchainError` if the base lacks a version, `SecretMissingError` if a
        secret that a step needs is not in `secrets`, `ProfileError` for too many layers.
        """
        check_depth(order.recipe)
        self._remove_leftovers(order.labels)
        start, image = self._state(order)
        reference = _reference(order)
        if not start.named:
            self._publish(image, reference, order.recipe)
            self._forget_failure(order)
        return Built(
            image=image,
            reference=reference,
            digest=order.recipe.digest,
            run=tuple(self._ran),
            reused=len(order.recipe.steps) - len(self._ran),
        )

    def ask(self, order: BuildOrder) -> tuple[str, ...]:
        """Return the answer to the open question of the order's Recipe, asked in the state that its steps make.

        Nothing of the question stays. Raises what `build` raises.
        """
        question = order.recipe.open
        assert question is not None, "only an open question can be asked"
        check_depth(order.recipe)
        self._remove_leftovers(order.labels)
        _, image = self._state(order)
        self.let_go()
        job = _question_job(order, question, image, stays=self._keeps and question.stays)
        with self._reporter.step(question.name) as progress:
            found = ask(self._engine, job, order.inputs, progress, self._reporter, early=self._early)
            outcome, self._standing = found
            if outcome.status != 0:
                raise _failure(job, outcome)
        return outcome.answer

    def expected(self, order: BuildOrder) -> str:
        """Return what the container of the open question of `order` is made of, see `build.early`.

        Empty if there is none, if it is not one that stays, or if this Builder has not made or found the state before.
        """
        recipe, question = order.recipe, order.recipe.open
        if question is None or not question.stays or not recipe.steps:
            return ""
        image = self._made.get(recipe.digests()[-1])
        return as_text(request_for(_question_job(order, question, image, stays=True))) if image else ""

    def _state(self, order: BuildOrder) -> tuple[Start, str]:
        """Return where the build began, and the image after all steps."""
        start = self._start(order)
        if start.done == len(order.recipe.steps):
            return start, start.image
        _check_secrets(order, start)
        return start, self._run_rest(order, start)

    def _start(self, order: BuildOrder) -> Start:
        known = self._known(order.recipe)
        if known.done == len(order.recipe.steps) or order.no_cache:
            return known
        looked_at = (*order.standing, _reference(order))
        found = find_start(self._engine, order.recipe, labels=order.labels, references=looked_at, known=known)
        if found.done:
            self._made[order.recipe.digests()[found.done - 1]] = found.image
        return found

    def _known(self, recipe: Recipe) -> Start:
        """Return how far this Builder has come with `recipe` before."""
        digests = recipe.digests()
        for done in range(len(digests), 0, -1):
            if image := self._made.get(digests[done - 1]):
                return Start(image=image, done=done)
        return Start(image=recipe.base, done=0)

    def _run_rest(self, order: BuildOrder, start: Start) -> str:
        fresh_directory(order.log_directory)
        self._forget_failure(order)
        digests = order.recipe.digests()
        image = start.image
        for index in range(start.done, len(digests)):
            job = _job(order, index, image, digests[index])
            total = "…" if order.recipe.open else str(len(digests))
            with self._reporter.step(f"[{index + 1}/{total}] {job.step.name}") as progress:
                outcome = self._carry_out(job, order.inputs, progress)
                if outcome.status != 0:
                    raise _failure(job, outcome)
            image = self._made[digests[index]] = outcome.image
            self._ran.append(job.step.name)
        return image

    def _carry_out(self, job: StepJob, inputs: Inputs, progress: Progress) -> Outcome:
        standing = self._standing
        if standing is not None and standing.fits(job):
            self._standing = None
            return standing.run(job, progress)
        return run_step(self._engine, job, inputs, progress, self._reporter)

    def let_go(self) -> None:
        """Remove the container that no step has come for."""
        standing, self._standing = self._standing, None
        if standing is not None:
            standing.close()

    def _publish(self, image: str, reference: str, recipe: Recipe) -> None:
        """Give the image its name, last of all: a name never means something half-made."""
        info = self._engine.image(image)
        wanted = recipe.digests()[-1] if recipe.steps else None
        if info is None or (wanted is not None and info.labels.get(LABEL_RECIPE) != wanted):
            raise BuildFailedError(
                f"the engine does not have the image that was just built ({image})",
                hint="somebody may be removing images; run: devbox up",
            )
        if reference not in info.tags:
            self._engine.tag(image, reference)

    def _forget_failure(self, order: BuildOrder) -> None:
        """Remove the state in which an earlier build failed, unless somebody is looking into it."""
        reference = failed_reference(order.repository, order.labels[LABEL_WORKSPACE])
        if self._engine.image(reference) is not None:
            with contextlib.suppress(EngineError):
                self._engine.remove_image(reference, force=True)

    def _remove_leftovers(self, labels: Labels) -> None:
        """Remove containers of steps of this Workspace that a killed build left; the lock says no other is alive.

        The same path on another machine that shares the engine is another owner's.
        """
        ours = {name: labels[name] for name in (LABEL_WORKSPACE, LABEL_OWNER) if name in labels}
        own = {one.container for one in (self._standing, self._early) if one is not None}
        for container in self._engine.containers({**ours, LABEL_ROLE: ROLE_STEP}):
            if container.id not in own:
                remove_quietly(self._engine, container.id, self._reporter)


def _reference(order: BuildOrder) -> str:
    return f"{order.repository}:{order.recipe.digest[:12]}"


def _job(order: BuildOrder, index: int, image: str, digest: str) -> StepJob:
    step = order.recipe.steps[index]
    return StepJob(
        step=step,
        digest=digest,
        image=image,
        env=_env(order.recipe, index),
        command=order.recipe.command,
        labels=order.labels,
        delivery=Delivery(
            files=step.context,
            texts=step.texts,
            epoch=order.recipe.epoch,
            secrets={name: order.secrets[name] for name in step.secrets},
            ca_bundle=order.ca_bundle if step.network else None,
        ),
        environ=tuple(sorted(order.environ.items())),
        log=order.log_directory / log_name(index + 1, step.name),
        failed_reference=failed_reference(order.repository, order.labels[LABEL_WORKSPACE]),
    )


def _question_job(order: BuildOrder, question: Question, image: str, *, stays: bool) -> StepJob:
    """Return the question as a job: like a step's, but for the commit."""
    step = Step(
        name=question.name,
        key=f"packages.{question.key.partition('.')[0]}",
        script=question.script,
        env=question.env,
        caches=question.caches,
        context=question.context,
        secrets=question.secrets,
    )
    last = len(order.recipe.steps)
    asking = replace(order.recipe, steps=(*order.recipe.steps, step), open=None)
    return replace(_job(replace(order, recipe=asking), last, image, question.asked), asking=True, stays=stays)


def _env(recipe: Recipe, index: int) -> tuple[tuple[str, str], ...]:
    """Return the variables of the image after the step `index`: a later one wins, the order stays."""
    values = dict(recipe.env)
    for step in recipe.steps[: index + 1]:
        values |= dict(step.env)
    return tuple(values.items())


def _check_secrets(order: BuildOrder, start: Start) -> None:
    needed = {name: step for step in order.recipe.steps[start.done :] for name in step.secrets}
    problems = [
        Problem(message=f"has no value here, and the step {step.name!r} needs it", key=f"secrets.{name}")
        for name, step in sorted(needed.items())
        if name not in order.secrets
    ]
    if problems:
        raise SecretMissingError("a secret is missing", problems=problems)


def _failure(job: StepJob, outcome: Outcome) -> DevboxError:
    step, refusal = job.step, outcome.refusal
    if outcome.status == STATUS_TOOLCHAIN and refusal:
        return ToolchainError(refusal, problems=[Problem(message=refusal, key=_refused_key(step))])
    if outcome.status == STATUS_GONE and refusal:
        return gone_error(refusal, key=step.key)
    if outcome.status == STATUS_BASE:
        return BaseImageError(
            f"step {step.name!r} could not get its files", detail=refusal or "\n".join(outcome.tail) or None
        )
    why = "was killed for memory" if outcome.out_of_memory else f"failed with exit code {outcome.status}"
    look = "look into the state it failed in: devbox shell --failed" if outcome.image else "mend it, then: devbox up"
    from devbox.build.diagnosis import diagnose  # lazy: what goes well needs none of its patterns

    known = None if outcome.out_of_memory else diagnose(outcome.tail)
    if known:
        why, look = f"{why}: {known.why}", known.hint
    return BuildFailedError(
        f"step {step.name!r} {why}",
        detail="\n".join([*outcome.tail, *_command(job), f"log: {shlex.quote(str(job.log))}"]),
        hint=look,
        problems=[Problem(message=why, key=step.key)],
    )


def _refused_key(step: Step) -> str:
    """Return the key that a step's own refusal is about: the shell is the user's, all else is a version."""
    return f"{step.key}.{'shell' if step.key == 'user' else 'version'}"


def _command(job: StepJob) -> list[str]:
    """Return what the step ran, for a person: the last line that is not tidying up. A question is devbox's own."""
    step = job.step
    if job.asking:
        return []
    lines = [line for line in step.script.splitlines() if line and not line.startswith(("rm -rf", "chown -R", "#"))]
    text = lines[-1] if lines else step.name
    return [f"command: {text if len(text) <= _SHOWN else text[:_SHOWN] + ' …'}"]
