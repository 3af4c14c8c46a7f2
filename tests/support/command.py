"""devbox as its users run it: a command of its own, in a project, with a home of its own."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import docker.errors

from devbox.values import LABEL_WORKSPACE, short_hash
from tests.support.account import Account
from tests.support.engine import RUN
from tests.support.supervisors import MARK

PASSED_ON = ("PATH", "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY", "TMPDIR")
SUFFIXES_PASSED_ON = ("_PROXY", "_proxy", "_CA_BUNDLE", "_CERT", "_CERTS", "_CERT_FILE", "_CAINFO")
PROJECT = "PROJECT_OF_DEVBOX"  # whose value in an environment is the hash of the project that the process is for
# Where the tests were started: a fixture that outlives a test sees another HOME than the test does.
_DOCKER_CONFIG = Path(os.environ.get("DOCKER_CONFIG", "~/.docker")).expanduser()


@dataclass(frozen=True, kw_only=True)
class Devbox:
    """Runs `devbox` in `directory` as `account`, whose home is `home`. `variables`: set for it beside the usual."""

    directory: Path
    home: Path
    account: Account
    variables: Mapping[str, str] = field(default_factory=dict)

    def __call__(
        self, *words: str, status: int | None = 0, timeout: float = 900, given: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run one command line without a terminal; another exit code than `status` fails the test (None: any).

        `given`: what it can read.
        """
        done = subprocess.run(
            [*self.command, *words],
            **self.settings,
            **({"input": given} if given else {"stdin": subprocess.DEVNULL}),
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        if status is not None and done.returncode != status:
            raise AssertionError(
                f"devbox {' '.join(words)}: exit code {done.returncode}, not {status}\n{done.stdout}\n{done.stderr}"
            )
        return done

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """Start one command line without a terminal; its output is the caller's to read, its end to wait for."""
        return subprocess.Popen(
            [*self.command, *words],
            **self.settings,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def json(self, *words: str, status: int = 0) -> Any:
        """Run one command line with --json and return its document."""
        return json.loads(self("--json", *words, status=status).stdout)

    @property
    def command(self) -> list[str]:
        """The words before those of the command line."""
        return [self.account.python, "-m", "devbox"]

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the command: what reaches the engine and the registries, and nothing personal."""
        kept = {name: value for name, value in os.environ.items() if name in PASSED_ON or _reaches_the_net(name)}
        if self.account.uid == os.getuid() and _DOCKER_CONFIG.is_dir():
            kept["DOCKER_CONFIG"] = str(_DOCKER_CONFIG)  # its contexts say where the engine is
        own = {"HOME": str(self.home), "PYTHONPATH": self.account.search, MARK: RUN, PROJECT: self.hash}
        return {**kept, **own, **self.variables}

    @property
    def settings(self) -> dict[str, Any]:
        """Where the command runs, and as whom."""
        found: dict[str, Any] = {"cwd": self.directory, "env": self.environment}
        if os.getuid() == 0:
            found |= {"user": self.account.uid, "group": self.account.gid, "extra_groups": self.account.groups}
        return found

    @property
    def hash(self) -> str:
        """The hash by which everything of this workspace is labelled."""
        return short_hash(os.path.realpath(self.directory))


def _reaches_the_net(name: str) -> bool:
    return name.endswith(SUFFIXES_PASSED_ON) or name in ("http_proxy", "https_proxy", "no_proxy")


@contextmanager
def engine() -> Iterator[Any]:
    """Open a client of the engine."""
    client = docker.from_env(timeout=120)
    try:
        yield client
    finally:
        client.close()


def left_over(workspace: str) -> list[str]:
    """Return the containers, volumes and networks on the engine that carry the label of `workspace`."""
    wanted = {"label": f"{LABEL_WORKSPACE}={workspace}"}
    with engine() as client:
        return [
            *(f"container {found.name}" for found in client.containers.list(all=True, filters=wanted)),
            *(f"volume {found.name}" for found in client.volumes.list(filters=wanted)),
            *(f"network {found.name}" for found in client.networks.list(filters=wanted)),
        ]


def containers_made(workspace: str, since: float, until: float) -> list[str]:
    """Return the containers of `workspace` that the engine's event log says were made between two times."""
    wanted = {"type": "container", "event": "create", "label": f"{LABEL_WORKSPACE}={workspace}"}
    with engine() as client:
        events = client.events(since=int(since), until=int(until) + 1, filters=wanted, decode=True)
        return [event["Actor"]["Attributes"].get("name", "?") for event in events if since <= event["timeNano"] / 1e9]


def sweep(workspace: str) -> None:
    """Remove all that carries the label of `workspace`, images included, whatever state a test left it in."""
    wanted = {"label": f"{LABEL_WORKSPACE}={workspace}"}
    with engine() as client:
        for container in client.containers.list(all=True, filters=wanted):
            remove_quietly(container.remove, force=True, v=True)
        for volume in client.volumes.list(filters=wanted):
            remove_quietly(volume.remove, force=True)
        for network in client.networks.list(filters=wanted):
            remove_quietly(network.remove)
        for image in client.images.list(all=True, filters=wanted):
            remove_quietly(client.images.remove, image.id, force=True)


def remove_quietly(remove: Any, *values: Any, **options: Any) -> None:
    """Call a `remove` of the engine's client; what is gone already or in use by something else is left to itself."""
    try:
        remove(*values, **options)
    except docker.errors.APIError as error:
        if error.status_code not in (404, 409):
            raise
