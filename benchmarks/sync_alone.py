"""`python -m benchmarks.sync_alone JSON`: a session and nothing else in a process, to see what it costs to have it.

Prints two lines when both sides are the same: its memory in bytes, and the CPU time in ms that it took in the ten
seconds after that. The JSON is that of `tests.sync.alone`.
"""

import json
import resource
import sys
import time
from pathlib import Path

from devbox.agent.client import dial
from devbox.sync.guest import open_guest
from devbox.sync.host import HostEndpoint
from devbox.sync.report import Settings
from devbox.sync.session import SyncSession

IDLE = 10.0


def main() -> None:
    asked = json.loads(sys.argv[1])
    session = SyncSession(
        Settings(),
        state=asked["state"],
        host_root=asked["host"],
        connect_host=lambda: HostEndpoint(asked["host"]),
        connect_guest=lambda: open_guest(
            dial(asked["socket"]), asked["identity"], user=asked["user"], root=asked["root"]
        ),
    )
    session.start()
    report = session.flush(timeout=600)
    if not report.settled:
        raise SystemExit(f"{report}")
    time.sleep(4)  # until what was read last is trusted
    begin = _spent()
    sys.stdout.write(f"{_memory()}\n")
    time.sleep(IDLE)
    sys.stdout.write(f"{round((_spent() - begin) * 1000)}\n")
    sys.stdout.flush()
    sys.stdin.read()
    session.stop()


def _spent() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _memory() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()


if __name__ == "__main__":
    main()
