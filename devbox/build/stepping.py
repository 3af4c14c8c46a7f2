"""One step: a container made from the state before, its script run, its state committed, itself removed."""

import contextlib
import shlex
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from devbox.build.ca import PATH_IN_STEPS, STORE_IN_STEPS, java_variables, variables
from devbox.build.context import Delivery, stream
from devbox.build.inputs import Inputs
from devbox.build.log import StepLog
from devbox.build.output import Lines
from devbox.build.recipe import (
    CACHE_DIRECTORY,
    REFUSAL,
    RUN_DIRECTORY,
    SECRET_DIRECTORY,
    STATUS_BASE,
    UNTOUCHED,
    Step,
)
from devbox.build.steps.script import refuse, shell_argv
from devbox.engine.base import ContainerRequest, Engine, ImageConfig, Labels, Mount, MountKind, Stream
from devbox.engine.policy_container import STEP_CAPABILITIES
from devbox.errors import EngineError, EngineUnavailableError
from devbox.interrupts import uninterrupted
from devbox.reporter import Progress, Reporter
from devbox.values import (
    LABEL_OWNER,
    LABEL_RECIPE,
    LABEL_ROLE,
    LABEL_SCHEMA,
    ROLE_CACHE,
    ROLE_FAILED,
    ROLE_LAYER,
    ROLE_STEP,
)

STDOUT = 1
ANSWERED = "devbox: answered"  # on stdout: nothing more of the answer comes, and a script may
# By its size: a connection that breaks must not look like a script that has nothing to do, or less.
LISTENING = f"""
umask 077
read -r size && head -c "$size" > {RUN_DIRECTORY}/asked || exit 1
[ "$(wc -c < {RUN_DIRECTORY}/asked)" -eq "$size" ] || exit 1
umask 022
exec /bin/sh {RUN_DIRECTORY}/asked
"""
_TAKE = "tar -xf -"
_TAKE_SIZED = 'read -r size && head -c "$size" > all && tar -xf all && rm all'  # tar would read on to the end
TAIL = 30  # lines of output that a failure shows
HOSTNAME = "devbox-build"  # packages write it down (certificates, mail names); the engine's own would be random


@dataclass(frozen=True, slots=True, kw_only=True)
class StepJob:
    """A step with everything it needs to run here. `env`: of the image that it yields."""

    step: Step
    digest: str
    image: str  # the state before it
    env: tuple[tuple[str, str], ...]
    command: tuple[str, ...]  # of the image that it yields
    labels: Labels
    delivery: Delivery
    log: Path
    failed_reference: str
    environ: tuple[tuple[str, str], ...] = ()  # what the script is told of this host
    asking: bool = False  # it is a question: stdout is the answer, and nothing is kept
    stays: bool = False  # a question whose container waits for a step's script, see `asking`


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a step ended. `image`: the committed state; of a failed step the state in which it failed, if any."""

    status: int
    image: str
    tail: tuple[str, ...] = field(default=(), repr=False)
    out_of_memory: bool = False
    answer: tuple[str, ...] = field(default=(), repr=False)  # of a question

    @property
    def refusal(self) -> str | None:
        """Why the step itself said no, if it did."""
        said = [line.removeprefix(REFUSAL) for line in self.tail if line.startswith(REFUSAL)]
        return said[-1] if said else None


def run_step(engine: Engine, job: StepJob, inputs: Inputs, progress: Progress, reporter: Reporter) -> Outcome:
    """Run one step; whatever happens, its container does not outlive this call."""
    with container_of(engine, job, reporter) as container:
        if not job.step.script:
            return Outcome(status=0, image=_commit(engine, container, job, failed=False))
        with started(engine, container, job, inputs) as stream:
            said = listen(job, heard(stream, job), progress)
        return ended(engine, container, job, said)


@contextlib.contextmanager
def container_of(engine: Engine, job: StepJob, reporter: Reporter) -> Iterator[str]:
    """Within, there is a container for `job`, not started; it does not outlive this."""
    container = None
    try:
        with uninterrupted():  # a container that came into being while a signal did would be nobody's
            container = engine.create(request_for(job))
        yield container
    finally:
        if container is not None:
            remove_quietly(engine, container, reporter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a container has written. `waits`: it has answered and waits for a script, so that it has not ended."""

    tail: tuple[str, ...] = field(default=(), repr=False)
    answer: tuple[str, ...] = field(default=(), repr=False)
    waits: bool = False


def listen(job: StepJob, lines: Iterator[tuple[int, str]], progress: Progress) -> Said:
    """Pass on and log what comes, to its end or until the container waits."""
    tail: deque[str] = deque(maxlen=TAIL)
    answer: list[str] = []
    with StepLog(job.log) as log:
        for kind, line in lines:
            if job.asking and kind == STDOUT:
                if job.stays and line == ANSWERED:
                    return Said(tail=tuple(tail), answer=tuple(answer), waits=True)
                answer.append(line)
                continue
            tail.append(line)
            log.write(line)
            progress.output(line)
    return Said(tail=tuple(tail), answer=tuple(answer))


def ended(engine: Engine, container: str, job: StepJob, said: Said) -> Outcome:
    """Return how it ended. The state is kept: of a step for the next one, of what failed for somebody to look into."""
    status = engine.wait(container)
    info = engine.container(container) if status != 0 else None
    keep = status != 0 or not job.asking
    return Outcome(
        status=status,
        image=_commit(engine, container, job, failed=status != 0) if keep else "",
        tail=said.tail,
        out_of_memory=info is not None and info.oom_killed,
        answer=said.answer,
    )


def remove_quietly(engine: Engine, container: str, reporter: Reporter) -> None:
    """Remove a container while something else may be going wrong, which must be what the user hears of."""
    try:
        engine.remove(container)
    except (EngineError, EngineUnavailableError) as error:
        reporter.debug(f"the step's container {container[:12]} stays for now: {error.message}")


def request_for(job: StepJob) -> ContainerRequest:
    """Return the request for the step's container. Pure.

    Its variables are exactly those of the image to come: the engine would merge others into the commit. The first
    step, which makes /run/devbox, has no mounts: a mount point would be committed. What stays is told over stdin what
    it is asked, so that it can be made before anybody knows (see `build.early`).
    """
    step = job.step
    mounts = () if step.bare else (_tmpfs(), *_caches(job))
    about = {} if job.stays else {LABEL_RECIPE: job.digest}
    return ContainerRequest(
        name=None,
        image=job.image,
        command=shell_argv(LISTENING if job.stays else _preamble(job) + step.script),
        labels=tuple(sorted({**job.labels, LABEL_ROLE: ROLE_STEP, **about}.items())),
        env=job.env,
        workdir="/",
        hostname=HOSTNAME,
        mounts=mounts,
        capabilities=STEP_CAPABILITIES,
        stdin=job.stays or _delivers(job),
        network=None if step.network else "none",
    )


def cache_volume(name: str, labels: Labels) -> str:
    """Return the name of the cache volume `name` of this owner."""
    return f"devbox-cache-{labels.get(LABEL_OWNER, 'all')}-{name}"


def _delivers(job: StepJob) -> bool:
    return bool(job.step.script) and not job.delivery.empty


def _tmpfs() -> Mount:
    return Mount(kind=MountKind.TMPFS, source="", target=RUN_DIRECTORY)


def _caches(job: StepJob) -> Iterator[Mount]:
    shared = {LABEL_ROLE: ROLE_CACHE}
    shared |= {name: job.labels[name] for name in (LABEL_OWNER, LABEL_SCHEMA) if name in job.labels}
    for name in job.step.caches:
        yield Mount(
            kind=MountKind.VOLUME,
            source=cache_volume(name, job.labels),
            target=f"{CACHE_DIRECTORY}/{name}",
            labels=tuple(sorted(shared.items())),
        )


def _preamble(job: StepJob) -> str:
    """Return what comes before the script: it takes the delivery from stdin, and is no part of the digest."""
    told = [f"export {name}={shlex.quote(value)}" for name, value in job.environ]
    if not _delivers(job):
        return "".join(f"{line}\n" for line in told)
    lines = [
        *told,
        f"command -v tar >/dev/null || {refuse('this base has no tar', status=STATUS_BASE)}",
        f"( umask 077; cd {RUN_DIRECTORY} && {_TAKE_SIZED if job.stays else _TAKE} ) || exit {STATUS_BASE}",
    ]
    if job.delivery.ca_bundle:
        named = variables(PATH_IN_STEPS) | java_variables(STORE_IN_STEPS)
        lines += [f"export {name}={value}" for name, value in named.items()]
    for name in sorted(job.delivery.secrets):
        # The dot keeps the shell from eating line ends of the value.
        lines.append(f"{name}=$(cat {SECRET_DIRECTORY}/{name}; echo .)")
        lines.append(f"{name}=${{{name}%.}}; export {name}")
    return "\n".join(lines) + "\n"


def _staying(script: str) -> str:
    """Return what runs the question `script` and then, if it says that it left no trace, a script from stdin."""
    lines = [
        f"(\n{script}) </dev/null",  # no ||: set -e would look past a failure
        'status=$?; [ "$status" = 0 ] || exit "$status"',
        f"[ -e {UNTOUCHED} ] || exit 0",
        f'echo "{ANSWERED}"',
        f'read -r size && head -c "$size" > {RUN_DIRECTORY}/step || exit 1',
        f'[ "$(wc -c < {RUN_DIRECTORY}/step)" -eq "$size" ] || exit 1',
        f"exec /bin/sh {RUN_DIRECTORY}/step </dev/null",
    ]
    return "\n".join(lines) + "\n"


@contextlib.contextmanager
def started(engine: Engine, container: str, job: StepJob, inputs: Inputs) -> Iterator[Stream]:
    """Within, the container runs and has been sent what it needs."""
    attached = engine.attach(container)
    try:
        engine.start(container)
        if job.stays:
            tell(attached, job, inputs)
        elif _delivers(job):
            _deliver(attached, job, inputs)
            attached.close_stdin()
        yield attached
    finally:
        attached.close()


def _deliver(attached: Stream, job: StepJob, inputs: Inputs) -> None:
    chunks = stream(job.delivery, inputs)
    for chunk in _sized(b"".join(chunks)) if job.stays else chunks:
        attached.send(chunk)


def tell(attached: Stream, job: StepJob, inputs: Inputs) -> None:
    """Tell a container that stays what it is asked, with what that needs."""
    script = _preamble(job) + _staying(job.step.script)
    for chunk in _sized(script.encode("utf-8", "surrogateescape")):
        attached.send(chunk)
    if _delivers(job):
        _deliver(attached, job, inputs)


def _sized(whole: bytes) -> tuple[bytes, bytes]:
    return f"{len(whole)}\n".encode(), whole


def heard(attached: Stream, job: StepJob) -> Iterator[tuple[int, str]]:
    """Yield the lines of a container, each with its stream's number."""
    lines = Lines(job.delivery.secrets.values())
    while (frame := attached.receive()) is not None:
        for line in lines.feed(*frame):
            yield frame[0], line
    yield from lines.finish()


def _commit(engine: Engine, container: str, job: StepJob, *, failed: bool) -> str:
    """Commit the state; a failed one under its own name, so that somebody can look into it."""
    role = ROLE_FAILED if failed else ROLE_LAYER
    labels: Mapping[str, str] = {**job.labels, LABEL_ROLE: role, LABEL_RECIPE: job.digest}
    config = ImageConfig(env=job.env, command=job.command, labels=tuple(sorted(labels.items())))
    reference = job.failed_reference if failed else None
    if not failed:
        return engine.commit(container, config=config, message=job.step.name, reference=None)
    with contextlib.suppress(EngineError, EngineUnavailableError):  # the step's own failure is what matters
        return engine.commit(container, config=config, message=f"failed: {job.step.name}", reference=reference)
    return ""
