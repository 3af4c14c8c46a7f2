"""The devbox.toml that `init` writes, and that `shell` uses where none has been written."""

from collections.abc import Iterator
from dataclasses import replace
from difflib import get_close_matches
from typing import Final

from devbox.errors import UsageError
from devbox.profile import catalogue
from devbox.profile.detect.evidence import Detection, Evidence, Named, Port, Stack, Task
from devbox.profile.gate import is_carried_out
from devbox.profile.grammar import check_image
from devbox.profile.schema import SCHEMA_LINE
from devbox.values import printable

_COMMENT_COLUMN: Final = 44
_SAMPLES: Final = {
    "postgres": "postgres:16", "mysql": "mysql:8", "redis": "redis:7", "mongodb": "mongo:7", "rabbitmq": "rabbitmq:3",
    "kafka": "apache/kafka:3.9.0", "elasticsearch": "elasticsearch:8.15.0",
    "opensearch": "opensearchproject/opensearch:2",
    "memcached": "memcached:1.6",
}  # fmt: skip


def render(detection: Detection, *, image: str | None = None, extends: str | None = None) -> str:
    """Return the commented profile for `detection`. Pure; the same detection gives the same bytes.

    `image` and `extends` take the place of what the detection would choose.
    """
    stacks = [stack for stack in detection.stacks if stack.profile]
    return "\n".join([
        SCHEMA_LINE,
        "# What the keys mean: docs/reference/profile.md. What the profile comes to: devbox config --explain",
        *(f"# not used: {_words(problem.file, problem.line, problem.message)}" for problem in detection.problems),
        _line(f'name = "{detection.name}"'),
        _extends(stacks, extends),
        *_base(stacks, image),
        "",
        "[packages]",
        *_system(stacks),
        *(line for stack in stacks for line in _packages(stack)),
        *_steps(stacks),
        *_tasks(stacks),
        *_ports(stacks),
        *_services(stacks),
        *_others(detection),
        "",
    ])  # fmt: skip


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


def _extends(stacks: list[Stack], extends: str | None) -> str:
    known = catalogue.names()
    wanted = [extends] if extends else [stack.profile for stack in stacks if stack.profile in known] or ["base"]
    names = [name for name in dict.fromkeys(wanted) if name != "base" or len(set(wanted)) == 1]
    return _line(f"extends = [{', '.join(_quoted(name) for name in names)}]", "base profiles, the later wins")


def _base(stacks: list[Stack], image: str | None) -> Iterator[str]:
    needed = next((stack.image for stack in stacks if stack.image), None)
    yield ""
    if image:
        yield "[base]"
        yield _line(f"image = {_quoted(image)}", 'or dockerfile = "Dockerfile"')
    elif needed:
        yield "[base]"
        yield _line(f"image = {_quoted(needed.name)}", _because(needed.at))
    else:
        yield "# [base]"
        yield _line('# image = "debian:12"', "without it: the one that has the versions below")


def _system(stacks: list[Stack]) -> Iterator[str]:
    found: dict[str, Evidence] = {}
    for stack in stacks:
        for one in stack.system:
            found.setdefault(one.name, one.at)
    if not found:
        yield _line('# system = ["libpq-dev"]', "packages of the base's own package manager")
        return
    yield "system = ["
    yield from (_line(f"  {_quoted(name)},", _because(at)) for name, at in found.items())
    yield "]"


def _packages(stack: Stack) -> Iterator[str]:
    """Yield the stack's line below [packages], and above it what led there."""
    if not stack.key:
        return
    settings = [f"{name} = {value}" for name, value in stack.settings.items()]
    if stack.version is not None:
        settings.insert(0, f"version = {_quoted(stack.version)}")
    line = f"{stack.key} = {{ {', '.join(settings)} }}" if settings else f"{stack.key} = {{}}"
    places = dict.fromkeys(one.place for one in stack.evidence)
    yield from _wrapped(f"# {stack.name}: ", list(places)[:12])
    yield from (_line(f"#   {claim.at.what}", claim.at.place) for claim in stack.claims)
    if not is_carried_out(f"packages.{stack.key}"):
        line = f"# {line}"
    yield line


def _wrapped(start: str, words: list[str]) -> Iterator[str]:
    text = start + ", ".join(printable(word) for word in words)
    yield text if len(text) <= 240 else f"{text[:239]}…"


def _steps(stacks: list[Stack]) -> Iterator[str]:
    for stack in stacks:
        for step in stack.steps:
            yield ""
            yield "[[provision]]"
            yield f"name = {_quoted(step.name)}"
            yield _line(f"run = {_quoted(step.run)}", f"{_because(step.at)}; inside, when it is made")


def _tasks(stacks: list[Stack]) -> Iterator[str]:
    found: dict[str, Task] = {}
    for stack in stacks:
        for task in stack.tasks:
            name = task.name if task.name not in found else f"{task.name}-{stack.name}"
            found.setdefault(name, task)
    mark = "" if is_carried_out("tasks") else "# "
    if found:
        yield ""
        yield f"{mark}[tasks]"
    yield from (_line(f"{mark}{name} = {_quoted(task.run)}", _because(task.at)) for name, task in found.items())


def _ports(stacks: list[Stack]) -> Iterator[str]:
    found: dict[int, Port] = {}
    for stack in stacks:
        for port in stack.ports:
            found.setdefault(port.number, port)
    if found:
        yield ""
        yield "[ports]"
    for number, port in found.items():
        name = "web" if len(found) == 1 else _key(port.name)
        yield _line(f"{name} = {number}", f"{_because(port.at)}: 127.0.0.1:{number}, or the next free port")


def _services(stacks: list[Stack]) -> Iterator[str]:
    """Yield what a dependency talks to, as comments: nothing is started that nobody asked for."""
    found: dict[str, Named] = {}
    for stack in stacks:
        for service in stack.services:
            found.setdefault(service.name, service)
    if not found:
        return
    yield ""
    yield "# Services that a dependency talks to. None is started; take the # away from what you need."
    for name, service in found.items():
        if name in catalogue.names():
            yield _line(f'# extends: add "{name}"', _because(service.at))
            continue
        yield _line(f"# [services.{name}]", _because(service.at))
        yield f"# image = {_quoted(_SAMPLES.get(name, name))}"


def _others(detection: Detection) -> Iterator[str]:
    if detection.others:
        yield ""
        yield "# Also seen:"
    yield from (f"# {_words(one.file, one.line, one.what)}" for one in detection.others[:20])


def _words(file: str | None, line: int | None, what: str) -> str:
    place = file if line is None else f"{file}:{line}"
    return printable(f"{place}: {what}" if place else what)


def _because(at: Evidence) -> str:
    return printable(f"{at.what}, {at.place}" if at.what else at.place)


def _key(name: str) -> str:
    """Return `name` as a key that a port can have."""
    kept = "".join(char if char.isascii() and (char.isalnum() or char in "-_") else "-" for char in name).strip("-_")
    return kept[:62] or "web"


def _line(text: str, comment: str = "") -> str:
    return f"{text.ljust(_COMMENT_COLUMN)}  # {comment}" if comment else text


def _quoted(text: str) -> str:
    """Return `text` as a TOML string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in escaped) + '"'
