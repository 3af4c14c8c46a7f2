"""devbox by either of its two paths: the hot one, which must then not be left, and the whole command line."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pexpect

from devbox.engine.base import Engine
from tests.support.account import invoker
from tests.support.command import Devbox
from tests.support.images import tiny_image
from tests.support.project import project
from tests.support.tree import ROOT

LEFT = 99  # exit status if the hot path was left
_ONLY_HOT = f"""
import os, sys
sys.path.insert(0, {str(ROOT)!r})
from devbox import launcher
launcher._bring_site_in = lambda packages: os._exit({LEFT})
sys.exit(launcher.main(""))
"""


@dataclass(frozen=True, kw_only=True)
class OnePath:
    """One of the two: how devbox is started, and with which variables."""

    name: str
    start: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)


HOT = OnePath(name="hot", start=(sys.executable, "-I", "-S", "-c", _ONLY_HOT))
COLD = OnePath(name="cold", start=(sys.executable, "-m", "devbox"), variables={"DEVBOX_NO_HOT": "1"})


@dataclass(frozen=True, kw_only=True)
class Traveller:
    """Runs devbox by `path` in the project of `devbox`."""

    devbox: Devbox
    path: OnePath

    @property
    def environment(self) -> dict[str, str]:
        """The variables of the command."""
        return {**self.devbox.environment, **self.path.variables}

    def __call__(self, *words: str, stdin: bytes = b"", cwd: Path | None = None) -> subprocess.CompletedProcess[bytes]:
        """Run one command line without a terminal."""
        return subprocess.run(
            [*self.path.start, *words],
            cwd=cwd or self.devbox.directory,
            env=self.environment,
            input=stdin,
            capture_output=True,
            timeout=300,
        )

    def start(self, *words: str, **settings: Any) -> "subprocess.Popen[bytes]":
        """Start one command line."""
        argv = [*self.path.start, *words]
        return subprocess.Popen(argv, cwd=self.devbox.directory, env=self.environment, **settings)

    @contextmanager
    def terminal(self, *words: str) -> Iterator["pexpect.spawn[str]"]:
        """Run one command line on a terminal of 30 rows and 90 columns."""
        child = pexpect.spawn(
            self.path.start[0],
            [*self.path.start[1:], *words],
            cwd=str(self.devbox.directory),
            env={**self.environment, "TERM": "xterm", "LANG": "C.UTF-8"},
            dimensions=(30, 90),
            encoding="utf-8",
            timeout=60,
        )
        try:
            yield child
        finally:
            child.close(force=True)


@contextmanager
def settled(engine: Engine, text: str = "") -> Iterator[Devbox]:
    """Have a project whose environment runs and whose next command can take the hot path.

    Its base is named by its id: one with a name could be another image by now, and only the engine would know.
    """
    with project(invoker()) as devbox:
        image = tiny_image(engine).id
        profile = f'name = "shop"\nuser.shell = "sh"\nnetwork.ca_bundle = "none"\n[base]\nimage = "{image}"\n'
        (devbox.directory / "devbox.toml").write_text(profile + text)
        devbox("up")
        yield devbox
