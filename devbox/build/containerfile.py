"""A Recipe as a Containerfile that any builder turns into the same content. Pure.

It keeps to what the oldest builder knows: no mounts, no here-documents. A step's script and files are copied to where
the step expects them, and removed in the `RUN` that used them; that leaves layers with more in them than the image has,
and the same content. Secrets alone need a builder that mounts them: they must be in no layer.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from devbox.build.ca import PATH_IN_STEPS, variables
from devbox.build.recipe import (
    CACHE_DIRECTORY,
    RUN_DIRECTORY,
    SECRET_DIRECTORY,
    STATUS_BASE,
    STATUS_TOOLCHAIN,
    Recipe,
    Step,
)
from devbox.build.steps.script import quoted, refuse
from devbox.errors import Problem, ProfileError
from devbox.values import printable, slug

FILE = "Containerfile"
BASE = "base.tar.gz"
CERTIFICATES = "ca.pem"
RUNNER = "steps/run-step"
MARK = "# Written by devbox export containerfile"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A build context. `files`: by path, text; `archives`: by path, the step whose files the tar has in it."""

    files: dict[str, str] = field(default_factory=dict)
    archives: dict[str, Step] = field(default_factory=dict)


def containerfile(recipe: Recipe, *, base: str | None, certificates: bool) -> Rendered:
    """Return the build context of `recipe`.

    `base`: a reference by digest that builders can pull, or None if the root file system is to lie next to the file, as
    `BASE`. `certificates`: `CERTIFICATES` lies there too, for steps that use the network. Raises `ProfileError` for a
    variable that no Containerfile can set.
    """
    _check_variables(recipe)
    names = [f"{number:02d}-{slug(step.name)}" for number, step in enumerate(recipe.steps, start=1)]
    steps = dict(zip(names, recipe.steps, strict=True))
    lines = [*_head(recipe), *_start(recipe, base)]
    for name, step in steps.items():
        lines += ["", *_step(name, step, certificates=certificates)]
    lines += ["", *_variables(recipe.variables), "ENTRYPOINT []", f"CMD {_words(recipe.command)}"]
    runs = {name: step for name, step in steps.items() if step.script}
    files = {FILE: "\n".join(lines) + "\n"} | {_script(name): step.script for name, step in runs.items()}
    if runs:
        files[RUNNER] = _runner()
    return Rendered(files=files, archives={_archive(name): step for name, step in runs.items() if _has_files(step)})


def _head(recipe: Recipe) -> Iterator[str]:
    yield MARK
    secrets = sorted({name for step in recipe.steps for name in step.secrets})
    if secrets:
        words = " ".join(f"--secret id={name},src=FILE" for name in secrets)
        yield f"# Needs a builder that mounts secrets (BuildKit, podman, buildah): -f {FILE} {words} ."
        return
    yield f"# docker build -f {FILE} . ; podman build . ; buildah build ."


def _start(recipe: Recipe, base: str | None) -> Iterator[str]:
    if base is not None:
        yield f"FROM {base}"
    else:
        yield "FROM scratch"
        yield f"ADD {BASE} /"
        yield from _variables(recipe.env)
    yield "USER 0:0"
    yield "WORKDIR /"


def _step(name: str, step: Step, *, certificates: bool) -> Iterator[str]:
    yield f"# {printable(' '.join(step.name.split()))}"
    yield from _variables(step.env)
    if not step.script:
        return
    files = [RUNNER, _script(name)]
    if _has_files(step):
        files.append(_archive(name))
    if certificates and step.network:
        files.append(CERTIFICATES)
    yield f"COPY {_words((*files, RUN_DIRECTORY + '/'))}"
    mounts = "".join(f"--mount=type=secret,id={name},target={SECRET_DIRECTORY}/{name} " for name in step.secrets)
    words = [f"cache={cache}" for cache in step.caches] + [f"secret={name}" for name in step.secrets]
    yield f"RUN {mounts}{_words(('/bin/sh', f'{RUN_DIRECTORY}/run-step', name, *words))}"
    if step.secrets:  # their mount points can only be removed when they are mounts no more
        yield f"RUN {_words(('/bin/sh', '-c', f'rm -rf {SECRET_DIRECTORY}'))}"


def _has_files(step: Step) -> bool:
    return bool(step.context or step.texts)


def _variables(values: tuple[tuple[str, str], ...]) -> Iterator[str]:
    for name, value in values:
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
        yield f'ENV {name}="{escaped}"'


def _check_variables(recipe: Recipe) -> None:
    """An instruction is one line, and no builder knows an escape for a line's end."""
    values = dict(recipe.variables)
    for step in recipe.steps:
        values |= dict(step.env)
    problems = [
        Problem(
            key=f"env.{name}",
            message="has a line end, which no Containerfile can set",
            hint="put the value into a file, by a provision step",
        )
        for name, value in values.items()
        if "\n" in value or "\r" in value
    ]
    if problems:
        raise ProfileError("the profile cannot be written as a Containerfile", problems=problems)


def _words(words: tuple[str, ...]) -> str:
    """Return words as an instruction takes them in its JSON form, for which no shell is needed."""
    return json.dumps(list(words), ensure_ascii=False)


def _script(name: str) -> str:
    return f"steps/{name}.sh"


def _archive(name: str) -> str:
    return f"steps/{name}.tar"


def _runner() -> str:
    """Return the script that gives a step what devbox's own build gives it, and cleans up after it."""
    exports = quoted(f"{name}={path}" for name, path in variables(PATH_IN_STEPS).items())
    secret = refuse(
        "the step $step needs the secret $name; build with: --secret id=$name,src=FILE", status=STATUS_TOOLCHAIN
    )
    return f"""\
# run-step STEP [cache=NAME | secret=NAME]...: runs a step of devbox, and leaves nothing of it in {RUN_DIRECTORY}.
top={RUN_DIRECTORY}
step=$1
shift
umask 022
if [ -f "$top/$step.tar" ]; then
  command -v tar >/dev/null || {refuse("this base has no tar", status=STATUS_BASE)}
  ( umask 077; cd "$top" && tar -xf "$step.tar" ) || exit {STATUS_BASE}
fi
if [ -f {PATH_IN_STEPS} ]; then export {exports}; fi
for word in "$@"; do
  name=${{word#*=}}
  case $word in
    cache=*) mkdir -p "{CACHE_DIRECTORY}/$name" ;;
    secret=*)
      [ -f "{SECRET_DIRECTORY}/$name" ] || {secret}
      value=$(cat "{SECRET_DIRECTORY}/$name"; echo .)
      export "$name=${{value%.}}"
      ;;
  esac
done
cd / && /bin/sh "$top/$step.sh" || exit
for place in "$top"/*; do
  case $place in {SECRET_DIRECTORY}) ;; *) rm -rf "$place" ;; esac
done
"""
