"""A machine on a host without any engine: its image by mmdebstrap, its steps in a user namespace."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.machine.conftest import PROFILE, inside, machines
from tests.support.account import invoker
from tests.support.command import Devbox
from tests.support.project import project
from tests.support.skips import NOT_HERE

pytestmark = [pytest.mark.docker, pytest.mark.vm, pytest.mark.network, pytest.mark.nightly, pytest.mark.timeout(1200)]
# What listens for an engine is not seen, nor what would start one.
HIDDEN = """
mount -t tmpfs none /run
for name in docker podman; do
  if path=$(command -v $name); then mount --bind /dev/null "$(readlink -f "$path")"; fi
done
exec "$@"
"""


@dataclass(frozen=True, kw_only=True)
class Alone(Devbox):
    """Runs `devbox` where no engine is."""

    @property
    def command(self) -> list[str]:
        return ["unshare", "--mount", "sh", "-c", HIDDEN, "sh", *super().command]

    @property
    def environment(self) -> dict[str, str]:
        kept = super().environment
        return {name: value for name, value in kept.items() if not name.startswith(("DOCKER_", "XDG_RUNTIME"))}


@pytest.fixture
def alone() -> Iterator[Alone]:
    """A project on a host without an engine."""
    if os.getuid() != 0:
        pytest.skip(f"{NOT_HERE}only root can hide the engine of this host")
    if shutil.which("mmdebstrap") is None:
        pytest.skip("needs mmdebstrap: scripts/setup.sh test")
    with project(invoker()) as found:
        (found.directory / "devbox.toml").write_text(PROFILE, encoding="utf-8")
        (found.directory / "a.txt").write_text("from the host", encoding="utf-8")
        made = Alone(directory=found.directory, home=found.home, account=found.account)
        yield made
        made("destroy", "-f")
        assert not list(machines(made))


def test_the_profile_is_a_machine_and_no_container(alone: Alone) -> None:
    engine = next(check for check in alone.json("doctor")["checks"] if check["id"] == "engine")
    assert "virtual machines can be had" in engine["message"]
    refused = alone("up", "--set", "runtime=container", status=3)
    assert "no container engine is running here" in refused.stderr
    alone("up")
    assert inside(
        alone, 'echo "$WORD"; cat a.txt; echo; python3 -c "print(6 * 7)"; systemctl --version | head -n 1'
    ).splitlines()[:3] == ["a word", "from the host", "42"]
    assert inside(alone, "stat -c %u:%g /etc/shadow") == "0:42"
    held = alone.home / ".cache" / "devbox" / "images"
    assert {path.stat().st_uid for path in held.glob("images/*/root")} != {0}
    alone("destroy", "-f")
    alone("prune")
    left = [path for path in Path(held / "images").iterdir() if (path / "root").exists()]
    assert len(left) == 1, "the base alone"
