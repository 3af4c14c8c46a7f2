"""A process that was killed for memory, told in words (fault 21)."""

from devbox.errors import DevboxError
from devbox.runtimes.base import ExecSpec, Instance
from devbox.values import format_size
from devbox.workspace.capture import capture

# cgroup v2, then v1: how many were killed, then the limit in bytes.
_LOOK = (
    "cd /sys/fs/cgroup && { "
    "[ -f memory.events ] && { while read -r n v; do [ $n = oom_kill ] && echo $v; done <memory.events; "
    "cat memory.max; } || { cd memory; "
    "while read -r n v; do [ $n = oom_kill ] && echo $v; done <memory.oom_control; cat memory.limit_in_bytes; }; }"
)


def memory_problem(instance: Instance) -> str | None:
    """Return what to say if a process of `instance` has been killed for memory, else None."""
    try:
        found = capture(
            instance, ExecSpec(argv=("/bin/sh", "-c", _LOOK), user="0:0", workdir="/", stdin=False), limit=200
        )
    except DevboxError:  # it has ended, or its image has no shell
        return None
    killed, _, limit = found.stdout.decode("ascii", "replace").strip().partition("\n")
    if not killed.isdigit() or killed == "0":
        return None
    size = f", limit {format_size(int(limit))}" if limit.strip().isdigit() and int(limit) < 1 << 60 else ""
    return f"a process was killed for memory{size}; give it more with resources.memory in devbox.toml"
