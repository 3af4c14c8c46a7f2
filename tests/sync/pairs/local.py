"""devbox between two directories of this machine: both ends are HostEndpoints in this process."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from devbox.sync.endpoint import Endpoint
from devbox.sync.host import HostEndpoint
from tests.sync.pairs.session import COMMON, SessionPair
from tests.sync.stage import Can, Scenario
from tests.sync.trees import HostTree

_ROOT = frozenset({Can.SMALL}) if os.getuid() == 0 else frozenset()


class LocalPair(SessionPair):
    """Two directories."""

    name: ClassVar[str] = "local"
    can: ClassVar[frozenset[Can]] = COMMON | _ROOT | {Can.LOCAL, Can.STOP}

    def __init__(self, scenario: Scenario, directory: Path) -> None:
        super().__init__(scenario, directory)
        self.guest = HostTree(directory / "guest")
        self.guest.path.mkdir()
        self._mounted: list[Path] = []
        if Can.SMALL in scenario.needs:
            for tree in (self.host, self.guest):
                subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(tree.path)], check=True)
                self._mounted.append(tree.path)

    def open_guest(self) -> tuple[Endpoint, Callable[[], object]]:
        return HostEndpoint(self.guest.path), lambda: None  # whoever cuts the line to it lets nothing more through

    def recreate(self, script: str) -> None:
        self.gate.clear()
        shutil.rmtree(self.guest.path)
        self.guest.path.mkdir()
        self.guest.sh(script)
        self.gate.set()

    def alone(self) -> dict[str, str]:
        return {"guest": str(self.guest.path)}

    def close(self) -> None:
        super().close()
        for path in self._mounted:
            subprocess.run(["umount", "--lazy", str(path)], check=True)
