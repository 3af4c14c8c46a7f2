"""The devbox.toml that `init` writes, and that `shell` uses where none has been written."""

from collections.abc import Iterator
from dataclasses import replace
from difflib import get_close_matches

from devbox.errors import UsageError
from devbox.profile import catalogue
from devbox.profile.detect.stack import DEFAULT_IMAGE, NEWER_IMAGE, Detection, Stack
from devbox.profile.grammar import check_image
from devbox.profile.schema import SCHEMA_LINE

_COMMENT_COLUMN = 44


def render(detection: Detection, *, image: str | None = None, extends: str | None = None) -> str:
    """Return the commented profile for `detection`. Pure; the same detection gives the same bytes.

    `image` and `extends` take the place of what the detection would choose.
    """
    newer = any(stack.newer for stack in detection.stacks)
    names = [extends] if extends else [stack.profile for stack in detection.stacks] or ["base"]
    lines = [
        SCHEMA_LINE,
        "# What the keys mean: docs/reference/profile.md. What the profile comes to: devbox config --explain",
        _line(f'name = "{detection.name}"'),
        _line(f"extends = [{', '.join(_quoted(name) for name in names)}]", "base profiles, the later wins"),
        "",
        "[base]",
        _line(f'image = "{image or (NEWER_IMAGE if newer else DEFAULT_IMAGE)}"', 'or dockerfile = "Dockerfile"'),
        "",
        "[packages]",
        _line('# system = ["libpq-dev"]', "packages of the base's own package manager"),
        *(_line(stack.packages, _because(stack)) for stack in detection.stacks),
        *_provision(detection),
        *_ports(detection),
    ]
    return "\n".join(lines) + "\n"


def render_for(base: str, detection: Detection) -> str:
    """Return the profile of `init BASE`, where `base` is a base profile of the catalogue or an image.

    A base profile keeps of the detection what is of its own stack. Raises `UsageError` for what is neither.
    """
    known = catalogue.names()
    if base in known:
        stacks = tuple(stack for stack in detection.stacks if stack.profile == base)
        return render(replace(detection, stacks=stacks), extends=base)
    near = get_close_matches(base, known, n=1)
    try:
        check_image(base)
    except ValueError as error:
        hint = f"devbox init {near[0]}" if near else f"base profiles: {', '.join(known)}; an image is name:tag"
        raise UsageError(f"not a base profile and not an image: {base!r}", hint=hint) from error
    if near and ":" not in base and "/" not in base:
        raise UsageError(f"there is no base profile {base!r}", hint=f"devbox init {near[0]}, or devbox init {base}:TAG")
    return render(detection, image=base)


def _because(stack: Stack) -> str:
    files = dict.fromkeys(evidence.file for evidence in stack.evidence)
    return f"found: {', '.join(files)}"


def _provision(detection: Detection) -> Iterator[str]:
    for stack in detection.stacks:
        for name, command in stack.provision:
            yield ""
            yield "[[provision]]"
            yield f'name = "{name}"'
            yield _line(f'run = "{command}"', "inside, when the environment is made")


def _ports(detection: Detection) -> Iterator[str]:
    ports = [port for stack in detection.stacks for port in stack.ports]
    if ports:
        yield ""
        yield "[ports]"
    for number, framework in ports:
        name = "web" if len(ports) == 1 else framework
        yield _line(f"{name} = {number}", f"{framework}: 127.0.0.1:{number}, or the next free port")


def _line(text: str, comment: str = "") -> str:
    return f"{text.ljust(_COMMENT_COLUMN)}  # {comment}" if comment else text


def _quoted(text: str) -> str:
    return f'"{text}"'
