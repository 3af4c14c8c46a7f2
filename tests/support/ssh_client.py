"""OpenSSH's client, with a configuration of its own and nothing of the user's."""

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.skips import NOT_HERE

__all__ = ["NOT_HERE", "Client"]


@dataclass(frozen=True, kw_only=True)
class Client:
    """Runs ssh and its kin for the host `host` of the file `config`."""

    config: Path
    host: str
    env: dict[str, str] = field(default_factory=lambda: dict(os.environ))

    def argv(self, *words: str, program: str = "ssh") -> list[str]:
        """Return a command line; `words` come behind -F FILE."""
        return [program, "-F", str(self.config), *words]

    def __call__(
        self, *words: str, stdin: bytes = b"", status: int | None = 0, timeout: float = 60
    ) -> subprocess.CompletedProcess[bytes]:
        """Run `ssh ... HOST WORDS`; options stand before "HOST" if `words` names it. Another exit code is a failure."""
        line = words if "HOST" in words else ("HOST", *words)
        return self.run(self.argv(*(self.host if word == "HOST" else word for word in line)), stdin, status, timeout)

    def run(
        self, argv: list[str], stdin: bytes = b"", status: int | None = 0, timeout: float = 60
    ) -> subprocess.CompletedProcess[bytes]:
        """Run any command line."""
        done = subprocess.run(argv, input=stdin, capture_output=True, timeout=timeout, env=self.env)
        if status is not None and done.returncode != status:
            raise AssertionError(f"{argv}: {done.returncode}, not {status}\n{done.stdout!r}\n{done.stderr.decode()}")
        return done

    def start(self, *words: str, **options: object) -> subprocess.Popen[bytes]:
        """Start `ssh ... HOST WORDS` and leave it running."""
        line = words if "HOST" in words else ("HOST", *words)
        argv = self.argv(*(self.host if word == "HOST" else word for word in line))
        return subprocess.Popen(argv, env=self.env, **options)  # type: ignore[call-overload,no-any-return]


def require(program: str, package: str) -> None:
    """Skip the test where a program is missing, and say what it comes with."""
    import shutil

    if shutil.which(program) is None:
        pytest.skip(f"needs {program}: apt-get install {package}")
