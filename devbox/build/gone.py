"""What a step says about packages of the Lock that cannot be had, as words for a person and names for a program. Pure.

The step's refusal is one line: "gone" or "other", then "archive:file" for each package. "other": the archive has a file
of that name which holds something else than was locked.
"""

from devbox.errors import LockGoneError, Problem

GONE = "gone"
OTHER = "other"
_SHOWN = 5  # names in the message; the problems have all


def gone_error(refusal: str, *, key: str) -> LockGoneError:
    """Return the error for a refusal; its `packages` may be looked up again, if they are just gone."""
    kind, *places = refusal.split()
    if kind not in (GONE, OTHER) or not places:
        return LockGoneError(f"the lock cannot be honoured: {refusal}", problems=[Problem(message=refusal, key=key)])
    packages = [_package(place) for place in places]
    names = tuple(dict.fromkeys(name for name, _ in packages))
    said = ", ".join(words for _, words in packages[:_SHOWN])
    if len(packages) > _SHOWN:
        said += f" and {len(packages) - _SHOWN} more"
    if kind == OTHER:
        why = "the archive has something else under that name"
        error = LockGoneError(
            f"the lock cannot be honoured: {said}: {why}",
            hint=f"look who changed devbox.lock; to trust the archive: devbox lock --update {' '.join(names)}",
            problems=[
                Problem(message=f"{words}: another SHA-256 than in devbox.lock", key=key) for _, words in packages
            ],
        )
    else:
        verb = "is" if len(packages) == 1 else "are"
        error = LockGoneError(
            f"the lock cannot be honoured: {said} {verb} gone, and the archive of the lock's day is not reachable",
            hint=f"lock what there is now: devbox lock --update {' '.join(names)}",
            problems=[Problem(message=f"{words} is gone", key=key) for _, words in packages],
        )
        error.packages = names
    return error


def _package(place: str) -> tuple[str, str]:
    """Return the name of a package and what it is called: name, version, archive."""
    archive, _, file = place.rpartition(":")
    name, version, *_ = [*file.removesuffix(".deb").split("_"), "", ""]
    return name, f"{name} {version} of the archive {archive}"
