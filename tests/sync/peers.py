"""The published comparison: `python -m tests.sync.peers` plays each scenario on devbox and on its peers.

It writes docs/explanation/sync-peers.md as measured, with the date and the versions. Unison and rsync are Debian's;
Mutagen takes part where MUTAGEN names its program or it is on PATH.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.sync.matrix import SCENARIOS, Outcome, play
from tests.sync.pairs import peers
from tests.sync.stage import Scenario

PEERS = ("unison", "rsync", "mutagen")


def outcome(name: str, scenario: Scenario) -> Outcome:
    """Play one scenario on one peer."""
    kinds = {"unison": peers.Unison, "rsync": peers.Rsync, "mutagen": peers.Mutagen}
    missing = scenario.needs - kinds[name].can
    if missing or scenario.only:
        return Outcome(scenario=scenario, missing=tuple(sorted(one.name for one in missing)))
    with tempfile.TemporaryDirectory(prefix="peers-") as directory, peers.peer(name, scenario, Path(directory)) as pair:
        return play(scenario, pair)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--only", nargs="*", default=PEERS, help="these peers alone")
    options.add_argument("--number", type=int, help="this scenario alone")
    asked = options.parse_args()
    for scenario in SCENARIOS:
        if asked.number in (None, scenario.number):
            for name in asked.only:
                found = outcome(name, scenario)
                sys.stdout.write(f"{scenario.id:<40} {name:<8} {found.missing or found.wrong or 'right'}\n")


if __name__ == "__main__":
    main()
