"""Asking a question, and keeping its container for the step that the answer leads to.

Where few packages come, a container is made, started and removed in about the time in which they are installed. A
question that left no trace in the file system leaves the state that the step begins with, so its container will do.
"""

import contextlib
from collections.abc import Iterator

from devbox.build.early import Early
from devbox.build.inputs import Inputs
from devbox.build.stepping import (
    Outcome,
    StepJob,
    container_of,
    ended,
    heard,
    listen,
    remove_quietly,
    request_for,
    started,
    tell,
)
from devbox.engine.base import Engine, Stream
from devbox.errors import EngineError
from devbox.reporter import Progress, Reporter


class Standing:
    """A container that has answered and waits for a script. To be closed; it is removed then."""

    def __init__(
        self,
        engine: Engine,
        job: StepJob,
        *,
        container: str,
        stream: Stream,
        lines: Iterator[tuple[int, str]],
        opened: contextlib.ExitStack,
    ) -> None:
        self.container = container
        self._engine = engine
        self._job = job
        self._stream = stream
        self._lines = lines
        self._opened = opened

    def fits(self, job: StepJob) -> bool:
        """Whether a container made for `job` would be just like this one."""
        ours, theirs = self._job, job
        alike = all(
            getattr(ours, name) == getattr(theirs, name) for name in ("image", "env", "environ", "labels", "delivery")
        )
        return alike and bool(job.step.script) and job.step.network and not job.step.bare and self._has_caches(job)

    def _has_caches(self, job: StepJob) -> bool:
        return set(job.step.caches) <= set(self._job.step.caches)

    def run(self, job: StepJob, progress: Progress) -> Outcome:
        """Run the script of `job`, which fits, as `run_step` does; closes this."""
        with self._opened:
            script = job.step.script.encode("utf-8", "surrogateescape")
            self._stream.send(f"{len(script)}\n".encode() + script)
            self._stream.close_stdin()
            said = listen(job, self._lines, progress)
            return ended(self._engine, self.container, job, said)

    def close(self) -> None:
        """Remove the container; idempotent."""
        self._opened.close()


def ask(
    engine: Engine, job: StepJob, inputs: Inputs, progress: Progress, reporter: Reporter, *, early: Early | None = None
) -> tuple[Outcome, Standing | None]:
    """Run a question; what it writes to stdout is the answer. The state that it leaves is kept if it fails alone.

    If the job `stays` and the question left no trace, the container that asked it comes along. `early`: it is asked in
    that container, if it is one for such a question.
    """
    there = early.take(request_for(job)) if early is not None and job.stays else None
    if there is not None:
        with contextlib.ExitStack() as opened:
            opened.callback(remove_quietly, engine, there[0], reporter)
            opened.callback(there[1].close)
            try:
                tell(there[1], job, inputs)
                return _answer(engine, job, progress, there, opened)
            except EngineError as error:  # another command took it for a leftover, and has removed it
                reporter.debug(f"what was started early is gone: {error.message}")
    with contextlib.ExitStack() as opened:
        container = opened.enter_context(container_of(engine, job, reporter))
        stream = opened.enter_context(started(engine, container, job, inputs))
        return _answer(engine, job, progress, (container, stream), opened)


def _answer(
    engine: Engine, job: StepJob, progress: Progress, there: tuple[str, Stream], opened: contextlib.ExitStack
) -> tuple[Outcome, Standing | None]:
    """Hear what the container says that has been asked; it is kept open in `Standing` if it waits."""
    container, stream = there
    lines = heard(stream, job)
    said = listen(job, lines, progress)
    if not said.waits:
        return ended(engine, container, job, said), None
    outcome = Outcome(status=0, image="", tail=said.tail, answer=said.answer)
    kept = opened.pop_all()
    return outcome, Standing(engine, job, container=container, stream=stream, lines=lines, opened=kept)
