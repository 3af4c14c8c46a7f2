"""An environment that runs, and command lines that start something in it: devbox's, and the engine's for the same."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from benchmarks.common import Way
from benchmarks.installed import Installed, install
from benchmarks.running import Terminal, run
from tests.support.account import invoker
from tests.support.command import Devbox, engine
from tests.support.project import project

BASE = "debian:12"
PROFILE = f'''
[base]
image = "{BASE}"
[user]
shell = "bash"
'''


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """An environment that runs. Commands are started in its project's directory, with `environment`."""

    devbox: str
    docker: str
    container: str
    process: int  # the environment's process 1, as the host knows it
    environment: Mapping[str, str]
    login: tuple[str, ...]  # what `devbox shell` starts
    user: str  # as whom devbox starts it: uid and gid
    directory: str  # and where, inside
    variables: Mapping[str, str]  # and with which variables

    def ours(self, *words: str) -> list[str]:
        """Return a command line of devbox."""
        return [self.devbox, *words]

    def theirs(self, *words: str, how: Sequence[str] = ()) -> list[str]:
        """Return the command line that does the same by the engine's command; `how`: -i, -t."""
        variables = [word for name, value in self.variables.items() for word in ("-e", f"{name}={value}")]
        return [self.docker, "exec", *how, "-u", self.user, "-w", self.directory, *variables, self.container, *words]

    def run_ours(self, *words: str) -> Way:
        argv = self.ours(*words)
        return Way(name=" ".join(("devbox", *words)), run=lambda: run(argv, self.environment))

    def run_theirs(self, *words: str) -> Way:
        argv = self.theirs(*words)
        return Way(name=" ".join(("docker exec", *words)), run=lambda: run(argv, self.environment))


@contextlib.contextmanager
def bench(docker: str) -> Iterator[tuple[Bench, Installed]]:
    """Bring an environment up by an installed devbox; all of it goes at the end."""
    with project(invoker()) as plain, contextlib.chdir(plain.directory):
        installed = install(plain.home / "an install")
        devbox = replace(plain, account=replace(plain.account, python=str(installed.python), search=""))
        (devbox.directory / "devbox.toml").write_text(PROFILE, encoding="utf-8")
        devbox("up")
        try:
            devbox("up")  # what the first one wrote may be too young to be trusted
            yield _look(devbox, str(installed.command), docker), installed
        finally:
            devbox("destroy", "-f", status=None)


def _look(devbox: Devbox, command: str, docker: str) -> Bench:
    """Describe what runs, as devbox and the engine themselves tell it."""
    instance = devbox.json("status")["instance"]
    with engine() as client:
        process = int(client.containers.get(instance).attrs["State"]["Pid"])
    variables = devbox("exec", "--", "env", "-0").stdout.split("\0")[:-1]
    return Bench(
        devbox=command,
        docker=docker,
        container=instance,
        process=process,
        environment=devbox.environment,
        login=_login(devbox, command),
        user=devbox("exec", "--", "sh", "-c", "echo $(id -u):$(id -g)").stdout.strip(),
        directory=devbox("exec", "--", "pwd").stdout.removesuffix("\n"),
        variables={name: value for name, _, value in (pair.partition("=") for pair in variables)},
    )


def _login(devbox: Devbox, command: str) -> tuple[str, ...]:
    """Return what a shell is inside: it is opened, and looked at."""
    with contextlib.closing(Terminal([command, "shell"], devbox.environment)) as shell:
        shell.until()
        (session,) = devbox.json("status")["sessions"]
        shell.leave(b"exit\r")
    return tuple(session["command"])
