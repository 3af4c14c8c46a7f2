"""What the languages' steps have in common. Pure."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace

from devbox.build.inputs import Inputs
from devbox.build.languages.base import Part, Setting, joined
from devbox.build.recipe import CONTEXT_DIRECTORY, RUN_DIRECTORY, STATUS_BASE, ContextFile, Question, Step, asked
from devbox.build.steps.script import refuse, script
from devbox.build.toolchains import toolchain
from devbox.errors import Problem, ProfileError
from devbox.profile.model import Managed

HOME = RUN_DIRECTORY + "/home"  # of the tools in a step: what they leave there goes with the container


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a language does in a container: fetch its packages, or find out which they are.

    `key`: of the profile; `cache`: the name of the cache mount; `owned`: the prefixes of variables that the tools read
    by themselves, so that secrets of such names are handed over.
    """

    key: str
    name: str
    lines: tuple[str, ...]
    context: tuple[ContextFile, ...]
    texts: tuple[tuple[str, str], ...] = ()
    cache: str
    owned: tuple[str, ...] = ()


def step(setting: Setting, work: Work) -> Step:
    """Return the step that does `work`."""
    return Step(
        name=work.name,
        key=work.key,
        script=script(setting.base.epoch, work.lines),
        caches=(work.cache,),
        context=work.context,
        texts=work.texts,
        secrets=named_secrets(setting, work),
    )


def question(setting: Setting, work: Work, *, key: str) -> Question:
    """Return the question that `work` answers, kept in the Lock as `key`.

    An answer stays good while the manifests are what they were: it is for a newer base to keep it, and for a person
    to ask anew.
    """
    files = [(file.path, file.digest) for file in work.context]
    return Question(
        key=key,
        name=work.name,
        asked=asked(key, work.lines, files),
        script=script(setting.base.epoch, work.lines),
        caches=(work.cache,),
        context=work.context,
        secrets=named_secrets(setting, work),
    )


def named_secrets(setting: Setting, work: Work) -> tuple[str, ...]:
    """Return the names of the secrets that the tools or the manifests of `work` name, sorted."""
    texts = [_text(setting.inputs, file) for file in work.context]
    return tuple(
        name
        for name in sorted(setting.profile.secrets)
        if name.startswith((*work.owned, "NETRC")) or any("${" + name + "}" in text for text in texts)
    )


def _text(inputs: Inputs, file: ContextFile) -> str:
    return inputs.contents[file.digest].decode("utf-8", "replace")


def no_packages(setting: Setting, wanted: Managed, manifest: str, *, key: str, place: str = "") -> tuple[Step, ...]:
    """Return the chain of a project without `manifest`; `ProfileError` if there is a command that would want one.

    `place`: where the tools keep packages; it is the user's, so that the first one can be added inside.
    """
    if wanted.install is None:
        return (_directories(setting, (place,), key=key, name="a place for packages"),) if place else ()
    message, hint = f"there is no {manifest} in the project", "remove it, or fetch things in a provision step"
    problem = Problem(message=message, key=f"{key}.install", hint=hint)
    raise ProfileError("the project's files cannot be used as the profile asks", problems=[problem])


def with_toolchain(setting: Setting, tool: str, own: Part) -> Part:
    """Return the toolchain `tool` and what a language does with it, which is open while the version is."""
    tools = toolchain(setting, tool)
    if tools.chain and isinstance(tools.chain[-1], Question):
        own = replace(own, chain=())
    return joined(tools, own)


def needed(program: str) -> str:
    """Return the line that refuses a base without `program`."""
    missing = refuse(f"this base has no {program}, and devbox does not know how to install it here", status=STATUS_BASE)
    return f"command -v {program} >/dev/null || {missing}"


def own_home() -> list[str]:
    """Return lines that give the tools a home that does not stay, and let them work where the manifests are."""
    return [f"export HOME={HOME}", f"mkdir -p {HOME}", f"cd {CONTEXT_DIRECTORY}"]


def owned_by_user(setting: Setting, *places: str) -> str:
    """Return the line that gives `places` to the user, who may add to them."""
    return f"chown -R -h {setting.user.uid}:{setting.user.gid} {' '.join(map(shlex.quote, places))}"


def build_directories(setting: Setting, names: Sequence[str], *, key: str) -> tuple[Step, ...]:
    """Return the step that makes directories of the project, for volumes that the user can write to; none for none."""
    places = [f"{setting.directory}/{name}" for name in names]
    return (_directories(setting, places, key=key, name="build directories"),) if places else ()


def _directories(setting: Setting, places: Sequence[str], *, key: str, name: str) -> Step:
    lines = [f"mkdir -p {' '.join(map(shlex.quote, places))}", owned_by_user(setting, *places)]
    return Step(name=name, key=key, script=script(setting.base.epoch, lines), network=False)


def keep_function() -> list[str]:
    """Return lines that define `keep FROM TO`: put files into a cache that lacks them, each whole or not at all."""
    return [
        "keep() {",
        '  [ -d "$1" ] || return 0',
        '  ( cd "$1" && find . -type f ) | while IFS= read -r file; do',
        '    [ ! -e "$2/$file" ] || continue',
        '    mkdir -p "$2/${file%/*}"',
        '    cp "$1/$file" "$2/.new" && mv "$2/.new" "$2/$file"',
        "  done",
        "}",
    ]


def listed(context: Sequence[ContextFile], name: str) -> list[str]:
    """Return the directories, "." for the project's own, in which a manifest called `name` lies."""
    places = [file.path.rpartition("/")[0] or "." for file in context if file.path.rpartition("/")[2] == name]
    return sorted(places)
