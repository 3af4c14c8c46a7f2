"""No core file of what has a machine's memory: it would hold every secret that the machine has."""

from typing import Final

# In the process itself, which is the program from then on: a limit that may never be raised again is none that this one
# could take back, and another user's process is not to be limited by whoever lacks CAP_SYS_RESOURCE, root or not.
_LIMITED: Final = 'ulimit -c 0 && exec "$@"'


def without_core(command: tuple[str, ...]) -> tuple[str, ...]:
    """Return what starts `command` so that neither it nor what it starts can leave a core file. Pure."""
    return ("/bin/sh", "-c", _LIMITED, "sh", *command)
