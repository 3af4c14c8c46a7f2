"""Hatchling's build hook: a wheel brings the agent's program for every architecture, compiled from the sources in it.

For an editable install the program for this machine alone is compiled, into the cache where `devbox.agent.program`
looks for it, so that the first environment does not wait for a compiler. An sdist has the sources alone. The wheel
stays one for every machine: the program runs in environments, not on the host.
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class AgentBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Compiles into a directory that is gone when the build has ended, however it ended."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile and name what the wheel has to take along. `AgentError` if it cannot be compiled."""
        if self.target_name != "wheel":
            return
        sys.path.insert(0, self.root)  # these sources, whatever else is installed
        from devbox.agent import program

        if version == "editable":
            self._have_at_hand()
            return
        from devbox.process import HostProcesses
        from devbox.reporter import SilentReporter

        self._directory = tempfile.TemporaryDirectory(prefix="devbox-agent-")
        place = Path(self._directory.name)
        cache = _compiler_cache() or place / "zig"
        for architecture in program.ARCHITECTURES:
            self.app.display_waiting(f"compiling the agent for {architecture}")
            output = place / program.name(architecture)
            program.compile_to(output, architecture, cache=cache, processes=HostProcesses(SilentReporter()))
            build_data["force_include"][str(output)] = f"devbox/agent/bin/{output.name}"

    def _have_at_hand(self) -> None:
        from devbox.agent import program

        machine = os.uname().machine
        architecture = "aarch64" if machine == "arm64" else machine
        if architecture not in program.ARCHITECTURES or _compiler_cache() is None:
            return  # devbox itself says what that means, if it comes to that
        self.app.display_waiting(f"compiling the agent for {architecture}")
        program.binary(architecture)

    def finalize(self, *_: object) -> None:
        """Remove what was compiled: it is in the wheel."""
        if hasattr(self, "_directory"):
            self._directory.cleanup()


def _compiler_cache() -> Path | None:
    """Return the one that a checkout uses too, which makes a second build quick; None where none can be kept."""
    from devbox import paths

    cache = Path(paths.cache_root()) / "agent" / "zig"
    try:
        paths.private_directory(str(cache))
        with tempfile.TemporaryFile(dir=cache):
            return cache
    except OSError:
        return None
