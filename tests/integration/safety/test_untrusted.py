"""S-05: a repository that nobody trusts is looked at with every verb, and nothing of it runs on the host."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from devbox.cli.catalogue import ENTRIES
from devbox.engine.base import Engine
from tests.support.account import invoker
from tests.support.command import Devbox
from tests.support.images import TINY, tiny_image
from tests.support.project import project
from tests.support.strace import traced
from tests.support.tree import ROOT

pytestmark = pytest.mark.docker

ASKING = f"""
[base]
image = "{TINY}"
[env]
from_host = ["HOME"]
[secrets]
TOKEN = {{ file = "~/token" }}
[[mounts]]
source = "/opt"
target = "/opt/host"
[[provision]]
script = "trap"
when = "build"
[[provision]]
script = "trap"
"""
HARMLESS = f'user.shell = "sh"\n[base]\nimage = "{TINY}"\n[[provision]]\nrun = "./trap"\nwhen = "create"\n'
PROGRAMS = (
    "docker",
    "podman",
    "git",
    "sh",
    "python3",
    "python",
    "ssh",
    "newuidmap",
    "qemu-system-x86_64",
    "sudo",
    "trap",
)
MODULES = ("sitecustomize", "usercustomize", "devbox", "docker", "typer", "json", "site", "rich", "pydantic")
VERBS = (
    *(("status",), ("--json", "status"), ("list",), ("config",), ("config", "--explain"), ("schema",), ("logs",)),
    *(
        ("detect",),
        ("detect", "--json"),
        ("init",),
        ("doctor",),
        ("completion", "bash"),
        ("trust",),
        ("--no-input", "trust"),
        ("up",),
        ("build",),
        ("lock",),
        ("lock", "--check"),
        ("add", "jq"),
        ("remove", "less"),
        ("verify",),
        ("export", "containerfile", "-o", "-"),
        ("run", "trap"),
        ("test",),
        ("tasks",),
        ("profiles",),
        ("sync",),
        ("sync", "diff"),
    ),
    *(
        ("shell", "--", "true"),
        ("exec", "--", "true"),
        ("port",),
        ("ssh-config",),
        ("code", "--print"),
        ("snapshot", "save", "x"),
        ("snapshot", "list"),
        ("suspend",),
        ("halt",),
        ("resume",),
        ("untrust",),
        ("destroy", "-f"),
        ("prune", "--dry-run"),
    ),
)
MAKING = (("up",), ("exec", "--", "true"), ("destroy", "-f"))
READING = (("status",), ("config",), ("up",))
COMPLETED = ("", "exec ", "shell ", "destroy ", "up --", "-C ./")


@pytest.fixture
def trapped(docker_engine: Engine) -> Iterator[Devbox]:
    """A project full of traps, each of which leaves a mark beside it when something runs it on this machine."""
    tiny_image(docker_engine)
    with project(invoker()) as devbox:
        directory = devbox.directory
        mark = directory.parent / "SPRUNG"
        for name in PROGRAMS:
            for place in (directory, directory / "bin", directory / "node_modules/.bin", directory / ".venv/bin"):
                place.mkdir(parents=True, exist_ok=True)
                (place / name).write_text(f'#!/bin/sh\necho "{name}" >>"{mark}"\n')
                (place / name).chmod(0o755)
        for name in MODULES:
            (directory / f"{name}.py").write_text(f"open({str(mark)!r}, 'a').write({name!r})\n")
        hook = f"!echo hook >>'{mark}'"
        (directory / ".git/hooks").mkdir(parents=True)
        (directory / ".git/HEAD").write_text("ref: refs/heads/main\n")
        (directory / ".git/config").write_text(
            f"[core]\n\tfsmonitor = {hook}\n\tsshCommand = {hook}\n\tpager = {hook}\n"
        )
        (directory / ".env").write_text("LD_PRELOAD=./evil.so\nDOCKER_HOST=tcp://127.0.0.1:1\nDEVBOX_NAME=evil\n")
        (directory / ".envrc").write_text(f"echo envrc >>'{mark}'\n")
        (directory / ".devcontainer").mkdir()
        command = f"echo devcontainer >>'{mark}'"
        (directory / ".devcontainer/devcontainer.json").write_text(json.dumps({"initializeCommand": command}))
        (directory / ".docker").mkdir()
        (directory / ".docker/config.json").write_text(json.dumps({"credsStore": "trap", "currentContext": "evil"}))
        (directory / "package.json").write_text(json.dumps({"name": "x", "scripts": {"preinstall": command}}))
        (directory / "setup.py").write_text(f"open({str(mark)!r}, 'a').write('setup.py')\n")
        yield devbox


def _environment(devbox: Devbox, **more: str) -> dict[str, str]:
    plain = {name: value for name, value in devbox.environment.items() if name != "PYTHONPATH"}
    return {**plain, "PYTHONDONTWRITEBYTECODE": "1", **more}


def _look(devbox: Devbox, log: Path, words: tuple[str, ...], **more: str) -> tuple[int, set[str], set[str]]:
    """Run one command line; return its status, what of the project it started, what it wrote beside its state."""
    command = Path(sys.executable).parent / "devbox"
    trace = traced([str(command), *words], cwd=devbox.directory, env=_environment(devbox, **more), log=log)
    # What Python keeps of devbox's own modules, when they are new; -I leaves PYTHONDONTWRITEBYTECODE unread.
    modules = tuple(f"{place}/__pycache__/" for place in (ROOT / "devbox").rglob("") if place.is_dir())
    ours = (f"{devbox.home}/.local/state/devbox", f"{devbox.home}/.cache/devbox", *modules)
    parents = {str(parent) for place in ours for parent in Path(place).parents}
    return (
        trace.status,
        {path for path in trace.started if not _of_the_system(path, devbox)},
        {path for path in trace.written if not path.startswith((*ours, "/dev/", "/proc/")) and path not in parents},
    )


def _of_the_system(path: str, devbox: Devbox) -> bool:
    """Whether a program is one of the machine's or of devbox's own installation."""
    if os.path.realpath(path).startswith(os.path.realpath(devbox.directory.parent)):
        return False
    return path.startswith(("/usr/", "/bin/", "/sbin/", "/lib", "/opt/", f"{Path(sys.executable).parent}/"))


@pytest.mark.parametrize(
    ("profile", "verbs"),
    [(ASKING, VERBS), (HARMLESS, MAKING), ('extends = ["./trap"]\n', READING), ("not toml", READING)],
    ids=["asking", "harmless", "extends", "broken"],
)
def test_no_verb_runs_anything_of_the_repository_nor_writes_beside_its_own_state(
    trapped: Devbox, tmp_path: Path, profile: str, verbs: tuple[tuple[str, ...], ...]
) -> None:
    (trapped.directory / "devbox.toml").write_text(profile)
    before, makes = _tree(trapped.directory), verbs is MAKING
    for number, words in enumerate(verbs):
        status, started, written = _look(trapped, tmp_path / f"{number}", words)
        lock = (str(trapped.directory / "devbox.lock"), str(trapped.directory / ".devbox.lock."))  # it is then renamed
        assert (started, {path for path in written if not (makes and path.startswith(lock))}) == (set(), set()), words
        if profile == ASKING and words[0] in ("up", "build", "shell"):
            assert status in (2, 125), words
    if makes:
        (trapped.directory / "devbox.lock").unlink()  # what `up` has to write
    assert _tree(trapped.directory) == before
    assert not (trapped.directory.parent / "SPRUNG").exists()


def test_every_verb_is_among_them() -> None:
    assert {word for words in VERBS for word in words if word in ENTRIES} == set(ENTRIES)


def test_no_completion_runs_anything_of_the_repository_nor_writes_at_all(trapped: Devbox, tmp_path: Path) -> None:
    (trapped.directory / "devbox.toml").write_text(ASKING)
    for number, line in enumerate(COMPLETED):
        words = ["devbox", *line.split(" ")]
        status, started, written = _look(
            trapped,
            tmp_path / f"{number}",
            (),
            _DEVBOX_COMPLETE="bash_complete",
            COMP_WORDS=" ".join(words),
            COMP_CWORD=str(len(words) - 1),
        )
        assert (status, started, written) == (0, set(), set()), line
    assert not (trapped.directory.parent / "SPRUNG").exists()


def _tree(directory: Path) -> dict[str, tuple[int, int, bytes]]:
    found = {}
    for path in directory.rglob("*"):
        facts = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(facts.st_mode) else b""
        found[str(path)] = (facts.st_mode, facts.st_uid, content)
    return found


def test_the_traps_work(trapped: Devbox) -> None:
    subprocess.run(["./git"], cwd=trapped.directory, check=True)
    assert (trapped.directory.parent / "SPRUNG").read_text() == "git\n"
