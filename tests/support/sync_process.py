"""A SyncSession in a process of its own, so that it can be killed: `sync_process BASE [socket of an agent]`."""

import sys
from pathlib import Path

from devbox.agent.client import dial
from devbox.sync.guest import open_guest
from tests.support.agent import IDENTITY
from tests.support.sync_bed import Bed
from tests.support.sync_guest import USER


def main() -> int:
    base = Path(sys.argv[1])
    bed = Bed(base)
    if len(sys.argv) > 2:
        bed.guest_end = lambda root: open_guest(dial(sys.argv[2]), IDENTITY, user=USER, root=str(root))
    with bed.running() as session:
        report = session.flush(timeout=60)
        if report.halted:
            session.confirm()
            report = session.flush(timeout=60)
    return 0 if report.settled else 3


if __name__ == "__main__":
    sys.exit(main())
