"""The Supervisor's program: `python -I -S __main__.py HASH IDENTITY BUILD [PATHS [DIRECTORY]]`.

PATHS: directories, with a colon between two, in which the third-party modules lie that syncing needs, and nothing else.
DIRECTORY: the project, if its agent is reached through its engine alone.
"""

import os
import sys
from collections.abc import Callable


def main() -> int:
    """Leave a Supervisor behind for the Workspace and return an exit status."""
    # Without `site`, and without the directory of this script, nobody has said where devbox is.
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))  # noqa: PTH100, PTH120
    from devbox.supervisor.daemon import detached

    path_hash, identity, build, modules, relayed, *_ = [*sys.argv[1:], "", ""]
    sys.path += [path for path in modules.split(os.pathsep) if path and path not in sys.path]
    return detached(path_hash, lambda ready: _work(path_hash, identity, build, relayed, ready))


def _work(path_hash: str, identity: str, build: str, relayed: str, ready: Callable[[], None]) -> None:
    import asyncio  # after the fork, which must find a process without threads, and as fast as it can be

    from devbox import paths
    from devbox.supervisor.log import Log
    from devbox.supervisor.relaying import Here, Relay
    from devbox.supervisor.serve import serve

    log = Log(paths.supervisor_log(path_hash), streams=True)
    way = Relay(path_hash, relayed, log) if relayed else Here(paths.agent_socket(path_hash))
    try:
        asyncio.run(serve(path_hash, identity, build, agent=way.open(), log=log, ready=ready))
    finally:
        way.close()


if __name__ == "__main__":
    sys.exit(main())
