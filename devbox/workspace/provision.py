"""Provision steps of the create stage: run inside, each remembered there by a marker that is written last."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence

from devbox.build.provision import MARKERS, ProvisionStep
from devbox.errors import ProvisionFailedError
from devbox.faults import fault
from devbox.reporter import Reporter
from devbox.runtimes.base import ExecSpec, Instance
from devbox.workspace.capture import capture, stream_lines

_ROOT = "0:0"
_TAIL = 30  # lines of a failed step that are shown
_LIST = f'cd {MARKERS} 2>/dev/null || exit 0; for f in *; do [ -f "$f" ] && echo "$f $(cat "$f")"; done; exit 0'
_MARK = 'umask 022; mkdir -p "${1%/*}" && echo "$2" >"$1.new" && mv "$1.new" "$1"'


def pending(instance: Instance, steps: Sequence[ProvisionStep]) -> tuple[ProvisionStep, ...]:
    """Return those of `steps` that have to run in `instance`; asks it only if there are any."""
    if not steps:
        return ()
    found = capture(instance, ExecSpec(argv=("/bin/sh", "-c", _LIST), user=_ROOT, workdir="/", stdin=False))
    lines = (line.split(" ", 1) for line in found.stdout.decode("utf-8", "replace").splitlines() if " " in line)
    markers = {f"{MARKERS}/{name}": digest for name, digest in lines}
    return tuple(step for step in steps if step.wanted(markers.get(step.marker)))


def provision(
    instance: Instance, steps: Sequence[ProvisionStep], *, env: Mapping[str, str], reporter: Reporter
) -> None:
    """Run `steps` in order, each followed by its marker; `ProvisionFailedError` ends it, with the last lines."""
    for step in steps:
        with reporter.step(step.name) as progress:
            _run(instance, step, env, progress.output)
            fault(f"mark {step.name}")
            mark = ExecSpec(
                argv=("/bin/sh", "-c", _MARK, "devbox", step.marker, step.digest), user=_ROOT, workdir="/", stdin=False
            )
            done = capture(instance, mark)
            if done.status:
                raise ProvisionFailedError(
                    f"the provision step {step.name!r} cannot be marked as done",
                    detail=done.stderr.decode("utf-8", "replace"),
                )


def _run(instance: Instance, step: ProvisionStep, env: Mapping[str, str], say: Callable[[str], None]) -> None:
    tail: deque[str] = deque(maxlen=_TAIL)

    def line(text: str) -> None:
        tail.append(text)
        say(text)

    spec = ExecSpec(
        argv=("/bin/sh", "-c", step.script), user=step.user, workdir=step.workdir, env=tuple(env.items()), stdin=False
    )
    fault(f"provision {step.name}")
    status = stream_lines(instance, spec, line)
    if status:
        from devbox.build.diagnosis import diagnose  # lazy: what goes well needs none of its patterns

        known = diagnose(list(tail))
        raise ProvisionFailedError(
            f"the provision step {step.name!r} ({step.key}) failed with exit code {status}"
            + (f": {known.why}" if known else ""),
            detail="\n".join(tail) or None,
            hint=known.hint if known else "look into it, the environment runs: devbox shell; then again: devbox up",
        )
