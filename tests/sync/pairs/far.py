"""devbox over a slow, lossy line to an engine that is far away, which is cut while the sync goes on."""

import contextlib
from pathlib import Path
from typing import ClassVar

from devbox.engine.client import Endpoint as Address
from devbox.engine.sdk import SdkEngine
from devbox.reporter import SilentReporter
from devbox.runtimes.base import Instance
from devbox.runtimes.container.runtime import ContainerRuntime
from tests.sync.line import line
from tests.sync.pairs.container import Elsewhere, RemotePair
from tests.sync.pairs.session import COMMON
from tests.sync.stage import Can, Scenario


class FarPair(RemotePair):
    """The container is made and looked at from nearby; all that the session says goes over the line."""

    name: ClassVar[str] = "far"
    can: ClassVar[frozenset[Can]] = COMMON | {Can.PAUSE, Can.LINE}

    def __init__(self, scenario: Scenario, directory: Path) -> None:
        self._stack = contextlib.ExitStack()
        self.line = self._stack.enter_context(line())
        self._far: Instance | None = None
        try:
            super().__init__(scenario, directory)
        except BaseException:
            self._stack.close()
            raise

    def reach(self) -> Instance:
        if self._far is None or self._far.id != self.instance.id:
            address = Address(url=self.line.url, source="test", address=self.line.url)
            engine = self._stack.enter_context(contextlib.closing(SdkEngine(address, SilentReporter())))
            self._far = ContainerRuntime(Elsewhere(engine)).find(self._name)
        assert self._far is not None
        return self._far

    def close(self) -> None:
        try:
            super().close()
        finally:
            self._stack.close()
