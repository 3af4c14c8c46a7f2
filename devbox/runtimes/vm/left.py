"""What a command that was killed has left of a machine, and that no later one would come upon."""

import glob
import shutil
from pathlib import Path

from devbox import paths
from devbox.process import Processes
from devbox.runtimes.vm import stored
from devbox.vm.machine import Machine


def sweep(name: str, processes: Processes) -> None:
    """Remove what is left of machines of the Instance `name`; to be called under the lock of its Workspace.

    That is a directory that was still being made, and one that nothing says of any more what it was made from. Nothing
    runs in it afterwards.
    """
    root, own = Path(paths.machines_root()), glob.escape(name)
    gone = [*root.glob(own), *root.glob(f"{own}-[0-9a-f]*")]  # the other is that of one that went for another
    for directory in [*root.glob(f".{own}.[0-9]*"), *(one for one in gone if not (one / stored.FILE).exists())]:
        Machine(directory, processes).kill()
        shutil.rmtree(directory, ignore_errors=True)
