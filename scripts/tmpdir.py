"""Print the directory for temporary files: one that the engine's containers can be given a part of.

That is the usual one, but where the engine lives in another root file system (this one is a container or chroot that
was handed the engine's socket); there only what was mounted at the same path is shared, and the clone is.
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any


def engine_lives_here() -> bool:
    """Whether the engine sees the same files as we do, as far as can be told without starting a container."""
    import docker

    try:
        client: Any = docker.from_env(timeout=10)
        root = Path(client.info().get("DockerRootDir", "/"))
        client.close()
        return (root / "containers").exists()
    except (docker.errors.DockerException, PermissionError):  # it is there, but only root may look into it
        return True


def main() -> int:
    if "TMPDIR" in os.environ or engine_lives_here():
        print(tempfile.gettempdir())
        return 0
    ours = Path(__file__).resolve().parents[1] / "build-out" / "tmp"
    ours.mkdir(parents=True, exist_ok=True)
    print(ours)
    return 0


if __name__ == "__main__":
    sys.exit(main())
