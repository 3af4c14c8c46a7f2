"""Asking a question, and keeping its container for the step that the answer leads to.

Where few packages come, a container is made, started and removed in about the time in which they are installed. A
question that left no trace in the file system leaves the state that the step begins with, so its container will do.
"""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import takewhile

from devbox.ahead import ahead
from devbox.build.inputs import Inputs
from devbox.build.layer import CAPABLE, WRITTEN, Carrier, Layer, archiving, listed, listing
from devbox.build.stepping import (
    ANSWERED,
    STDOUT,
    Outcome,
    StepJob,
    commit,
    container_of,
    ended,
    heard,
    listen,
    started,
)
from devbox.engine.base import Engine, Stream
from devbox.errors import EngineError, EngineUnavailableError
from devbox.reporter import Progress, Reporter

_END = WRITTEN + ANSWERED.encode() + b"\n"


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

    def run(self, job: StepJob, progress: Progress, carrier: Carrier | None = None) -> Outcome:
        """Run the script of `job`, which fits, as `run_step` does; closes this. `carrier`: gets what it changes.

        The state is kept while the container waits, which then does nothing but write the archive: its end takes
        about as long as a small package, and is waited for by nobody.
        """
        with contextlib.ExitStack() as opened:
            opened.push(self._opened.pop_all())
            self._say(job.step.script)
            said = listen(job, self._lines, progress, until=ANSWERED)
            if not said.waits:
                if carrier is not None:
                    carrier.decline()
                return ended(self._engine, self.container, job, said)
            carried = ahead(lambda: self._carry(carrier)) if carrier is not None else None
            image = commit(self._engine, self.container, job, failed=False, pause=False)
            if carried is not None:
                carried()
            threading.Thread(target=opened.pop_all().close).start()  # the interpreter waits for it before it ends
            return Outcome(status=0, image=image, tail=said.tail)

    def _say(self, text: str) -> None:
        script = text.encode("utf-8", "surrogateescape")
        self._stream.send(f"{len(script)}\n".encode() + script)

    def _carry(self, carrier: Carrier) -> None:
        """Have the container, which waits, say what the step has changed, and write it out."""
        layer = archive = None
        with contextlib.suppress(EngineError, EngineUnavailableError):  # whoever keeps the state hears of it as well
            layer = self._listed() if self._job.notes else None
            archive = self._archive(layer) if layer else None
        if layer is None or archive is None:
            carrier.decline()
        else:
            carrier.carry(replace(layer, archive=archive))

    def _listed(self) -> Layer | None:
        self._say(listing())
        said = takewhile(lambda one: one != (STDOUT, ANSWERED), self._lines)
        return listed([line for kind, line in said if kind == STDOUT])

    def _archive(self, layer: Layer) -> bytes | None:
        """Return the archive; None if it is not whole, or not for everybody."""
        self._say(archiving(layer))
        pieces: list[bytes] = []
        end = b""
        while not end.endswith(_END[len(WRITTEN) :]) and (frame := self._stream.receive()) is not None:
            if frame[0] == STDOUT:
                pieces.append(frame[1])
                end = (end + frame[1])[-len(_END) :]
        whole = b"".join(pieces)
        return whole.removesuffix(_END) if whole.endswith(_END) and CAPABLE not in whole else None

    def close(self) -> None:
        """Remove the container; idempotent."""
        self._opened.close()


def ask(
    engine: Engine, job: StepJob, inputs: Inputs, progress: Progress, reporter: Reporter
) -> tuple[Outcome, Standing | None]:
    """Run a question; what it writes to stdout is the answer. The state that it leaves is kept if it fails alone.

    If the job `stays` and the question left no trace, the container that asked it comes along.
    """
    with contextlib.ExitStack() as opened:
        container = opened.enter_context(container_of(engine, job, reporter))
        stream = opened.enter_context(started(engine, container, job, inputs))
        lines = heard(stream, job)
        said = listen(job, lines, progress, until=ANSWERED if job.stays else None)
        if not said.waits:
            return ended(engine, container, job, said), None
        outcome = Outcome(status=0, image="", tail=said.tail, answer=said.answer)
        kept = opened.pop_all()
        return outcome, Standing(engine, job, container=container, stream=stream, lines=lines, opened=kept)
