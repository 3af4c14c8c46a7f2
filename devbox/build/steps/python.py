"""Python's steps: a virtual environment at a fixed path outside the repo, and exact packages in it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from devbox.build.python_sources import UvProject
from devbox.build.recipe import CONTEXT_DIRECTORY, RUN_DIRECTORY, VENV, BaseImage, ContextFile, Question, Step
from devbox.build.steps.python_answer import PROGRAM
from devbox.build.steps.script import quoted, refuse, script
from devbox.build.steps.uv import CACHES, PIP, uv_lines
from devbox.values import GuestUser

KEY = "packages.python"
RESOLVED = "python.packages"  # the key of the question what manifests resolve to
_SYNC = "--frozen --inexact --no-install-project --no-install-workspace --no-install-local"
_PYTHON = f"--python {VENV}/bin/python"
_WITH_HASHES = f"{RUN_DIRECTORY}/exact.txt"
_WITHOUT = f"{RUN_DIRECTORY}/from-source.txt"
_ASKED = f"{RUN_DIRECTORY}/asked.txt"
_OPTIONS = f"{RUN_DIRECTORY}/options.txt"
_PINNED = f"{RUN_DIRECTORY}/resolved.txt"
_LOCK = f"{RUN_DIRECTORY}/pylock.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exact:
    """What is installed as it is. `files`: requirement files with hashes. `projects`: directories with a uv.lock."""

    files: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    options: tuple[str, ...] = ()  # of requirement files, as "--extra-index-url https://..."
    projects: tuple[UvProject, ...] = ()
    context: tuple[ContextFile, ...] = ()
    secrets: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to install."""
        return not (self.files or self.lines or self.projects)


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """What has to be resolved first. `files`: requirement files without hashes; `constraints`: those with."""

    files: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    known: tuple[str, ...] = ()  # the older answer, whose versions stay where they still fit
    context: tuple[ContextFile, ...] = ()
    secrets: tuple[str, ...] = ()


def environment(base: BaseImage, user: GuestUser) -> Step:
    """Return the step that makes the virtual environment with the Python that is first on PATH."""
    missing = refuse("this base has no Python, and devbox does not know how to install it here")
    lines = [
        f"python=$(command -v python3 || command -v python) || {missing}",
        *PIP,
        f'"$python" -m venv {VENV} || {refuse("this Python cannot make a virtual environment (module venv)")}',
        f"chown -R {user.uid}:{user.gid} {VENV}",
    ]
    return Step(name="python", key=KEY, script=script(base.epoch, lines))


def packages(base: BaseImage, exact: Exact, user: GuestUser) -> Step:
    """Return the step that installs exactly `exact`, with nothing resolved."""
    lines = [
        *uv_lines(),
        f"mkdir -p {CONTEXT_DIRECTORY}; cd {CONTEXT_DIRECTORY}",
        *_from_projects(exact),
        *_from_files(exact),
        *_from_lines(exact),
        f"rm -f {VENV}/.lock",
        # only what is new: another owner for a file of the layer below would copy it up
        f'owner={user.uid}:{user.gid}; find {VENV} ! -user "${{owner%:*}}" -exec chown -h "$owner" {{}} +',
    ]
    return Step(
        name="python packages",
        key=KEY,
        script=script(base.epoch, lines),
        caches=CACHES,
        context=exact.context,
        secrets=exact.secrets,
    )


def _from_projects(exact: Exact) -> list[str]:
    """Let uv ask the project's own index for what its lock file names, and makes nothing of the project itself."""
    return [
        f'( cd {quoted([project.directory])} && "$uv" sync {_PYTHON} {_SYNC} {_choice(project)} )'
        for project in exact.projects
    ]


def _choice(project: UvProject) -> str:
    extras = [word for extra in project.extras for word in ("--extra", extra)]
    groups = [word for group in project.groups for word in ("--group", group)]
    return quoted([*extras, *groups])


def _from_files(exact: Exact) -> list[str]:
    files = quoted(word for name in exact.files for word in ("-r", name))
    return [f'"$uv" pip install {_PYTHON} --require-hashes {files}'] if files else []


def _from_lines(exact: Exact) -> list[str]:
    with_hashes = [line for line in exact.lines if "--hash=" in line]
    without = [line for line in exact.lines if "--hash=" not in line]
    found = []
    for path, lines, flag in ((_WITH_HASHES, with_hashes, " --require-hashes"), (_WITHOUT, without, "")):
        if lines:
            found += _heredoc(path, [*exact.options, *lines])
            found.append(f'"$uv" pip install {_PYTHON} --no-deps{flag} -r {path}')
    return found


def resolve(base: BaseImage, wanted: Open, *, digest: str) -> Question:
    """Return the question what `wanted` comes to: lines that `Exact.lines` takes. `digest`: of what that depends on."""
    constraints = quoted(word for path in wanted.constraints for word in ("-c", path))
    early = " --prerelease allow" if "--pre" in wanted.options else ""
    compiled = f'"$uv" pip compile -q {_PYTHON} --no-header --no-annotate{early}'
    everything = "1" if any("no-binary" in option for option in wanted.options) else ""
    lines = [
        "exec 3>&1 >&2",  # stdout is the answer
        *uv_lines(),
        f"mkdir -p {CONTEXT_DIRECTORY}; cd {CONTEXT_DIRECTORY}",
        *_heredoc(_OPTIONS, wanted.options),
        *_heredoc(_ASKED, wanted.requirements),
        *_heredoc(_PINNED, _pins(wanted.known)),  # uv keeps to the versions that it finds there
        f"{compiled} -o {_PINNED} {constraints} {quoted([*wanted.files, _OPTIONS, _ASKED])} >/dev/null",
        f"{compiled} --no-deps --format pylock.toml -o {_LOCK} {_OPTIONS} {_PINNED} >/dev/null",
        f"{VENV}/bin/python - {_LOCK} '{everything}' >&3 <<'devbox-end'",
        *PROGRAM.strip("\n").split("\n"),
        "devbox-end",
    ]
    return Question(
        key=RESOLVED,
        name="resolve python packages",
        asked=digest,
        script=script(base.epoch, lines),
        caches=CACHES,
        context=wanted.context,
        secrets=wanted.secrets,
    )


def _pins(lines: Sequence[str]) -> list[str]:
    return [line.split(" ")[0] for line in lines if " @ " not in line]


def _heredoc(path: str, lines: Sequence[str]) -> list[str]:
    return [f"cat > {path} <<'devbox-end'", *lines, "devbox-end"]
