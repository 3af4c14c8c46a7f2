"""`python -m tests.sync.alone JSON`: a SyncSession in a process of its own, which syncs once and ends, or is killed."""

import json
import sys

from devbox.agent.client import dial
from devbox.sync.endpoint import Endpoint
from devbox.sync.guest import open_guest
from devbox.sync.host import HostEndpoint
from devbox.sync.report import Settings
from devbox.sync.session import SyncSession


def main() -> None:
    asked = json.loads(sys.argv[1])

    def guest() -> Endpoint:
        if "guest" in asked:
            return HostEndpoint(asked["guest"])
        return open_guest(dial(asked["socket"]), asked["identity"], user=asked["user"], root=asked["root"])

    session = SyncSession(
        Settings(),
        state=asked["state"],
        host_root=asked["host"],
        connect_host=lambda: HostEndpoint(asked["host"]),
        connect_guest=guest,
    )
    session.start()
    report = session.flush(timeout=30)
    session.stop()
    sys.exit(0 if report.settled else f"{report}")


if __name__ == "__main__":
    main()
