"""Whether a detection is enough to make an environment from."""

from devbox.errors import ContradictionError, Problem, UndetectableError
from devbox.profile.detect.evidence import Detection, Evidence

_SHOWN = 20


def require_clear(found: Detection) -> None:
    """Raise unless `found` can be made into an environment.

    `ContradictionError`: a file cannot be read, or what some of them say excludes each other. `UndetectableError`:
    there is nothing that an environment can be made for. Both have what was seen as their problems.
    """
    if found.problems:
        count = "one problem" if len(found.problems) == 1 else f"{len(found.problems)} problems"
        raise ContradictionError(
            f"the project's files do not say what environment it needs: {count}",
            problems=found.problems,
            hint="mend these lines, or write a profile that goes before them: devbox init python (or debian:12)",
        )
    if any(stack.profile for stack in found.stacks):
        return
    seen = [_problem(one) for one in found.evidence[:_SHOWN]]
    if any(stack.name == "dotnet" for stack in found.stacks):
        raise UndetectableError(
            "devbox has no environment for .NET: the distributions hold no SDK",
            problems=seen,
            hint="devbox init IMAGE with an image that has it, or devbox init debian:12 and a [[provision]] step",
        )
    below = [
        one for one in found.others if one.file.endswith(one.file.rpartition("/")[2]) and one.what.endswith(" below")
    ]
    hint = "devbox init python (or node, go, ...; devbox init debian:12 for a bare one)"
    if below:
        hint = f"{hint}, or devbox -C {below[0].file.rpartition('/')[0]} shell for that part alone"
    what = "nothing in it tells a language" if not seen else "nothing at its root tells a language"
    raise UndetectableError(f"cannot tell what environment this project needs: {what}", problems=seen, hint=hint)


def _problem(one: Evidence) -> Problem:
    return Problem(message=one.what, file=one.file, line=one.line)
