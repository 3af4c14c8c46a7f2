"""The published comparison: `python -m tests.sync.peers` plays each scenario on devbox and on its peers.

It writes docs/explanation/sync-peers.md as measured, with the date and the versions. Unison and rsync are Debian's;
Mutagen takes part where MUTAGEN names its program or it is on PATH. `--number N` plays one row and prints it.
"""

import argparse
import datetime
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.sync.matrix import SCENARIOS, Outcome, fits, play
from tests.sync.pairs import peers
from tests.sync.pairs.container import ContainerPair
from tests.sync.pairs.local import LocalPair
from tests.sync.pairs.session import SessionPair
from tests.sync.stage import Scenario

_PAGE: Final = Path(__file__).parents[2] / "docs" / "explanation" / "sync-peers.md"
_KINDS: Final = {"unison": peers.Unison, "rsync": peers.Rsync, "mutagen": peers.Mutagen}
_OURS: Final[tuple[type[SessionPair], ...]] = (ContainerPair, LocalPair)
_TOLD: Final = 2  # of what was wrong, so much stands in the table
_HEAD: Final = """\
# What becomes of your files: devbox and its peers

*Written by `python -m tests.sync.peers`; what stands here was seen, not looked up.* Played on {date} with {versions}.

Each row is one case of the acceptance matrix of [sync](sync.md): something happens on both sides, then they are synced,
then one looks. **H** is the host, the side with your project; **G** is the guest. devbox syncs into a container that
shares no directory with the host. Unison runs as `unison -batch -auto -times`, Mutagen in its default mode
(two-way-safe) with a flush, both between two directories. rsync, `rsync -a --delete` from H to G, can do one direction
alone: that it loses what the guest has done is what it is for, and it stands here to show what such a copy costs.

"-" is a case that was not played there: it needs an agent that can be killed, a line that can be cut, or something else
that the peer does not have or that this bed cannot do to it. In bold: content that was nowhere any more.

## The environment is made anew

The case that matters most: a container is removed and made again, so the synced directory is empty, or holds what the
image has there. The engine remembers that both sides were equal, and what it sees looks as if somebody had deleted
everything.

{anew}

devbox knows a root by a mark that it left in it and by what the file system says of it. Another root has no past:
nothing is deleted because of it.

## All of it

| | case | right | devbox | Unison | rsync | Mutagen |
|---|---|---|---|---|---|---|
"""


def outcome(name: str, scenario: Scenario) -> Outcome | None:
    """Play one scenario on one of them; None if that cannot be."""
    if name == "devbox":
        return _ours(scenario)
    if not fits(scenario, _KINDS[name]) or (name == "mutagen" and peers.mutagen() is None):
        return None
    with tempfile.TemporaryDirectory(prefix="peers-") as directory, peers.peer(name, scenario, Path(directory)) as pair:
        try:
            return play(scenario, pair)
        except AssertionError as error:
            return Outcome(scenario=scenario, wrong=(f"could not be played: {str(error).splitlines()[0]}",))


def _ours(scenario: Scenario) -> Outcome | None:
    kind = next((kind for kind in _OURS if fits(scenario, kind)), None)
    if kind is None or scenario.nightly:
        return None
    with tempfile.TemporaryDirectory(prefix="peers-") as directory:
        pair = kind(scenario, Path(directory))
        try:
            pair.begin()
            return play(scenario, pair)
        finally:
            pair.close()


def cell(found: Outcome | None) -> str:
    """Return what came of it, for a table."""
    if found is None:
        return "-"
    if not found.wrong:
        return "right"
    lost = [one for one in found.wrong if one.startswith("LOST")]
    told = [one for one in found.wrong if one not in lost]
    said = [f"**lost: {', '.join(one.removeprefix('LOST: ') for one in lost)}**"] if lost else []
    said += [_short(one) for one in told[: _TOLD - len(said)]]
    more = len(told) - (_TOLD - bool(lost))
    return "; ".join(said) + (f"; and {more} more" if more > 0 else "")


def _short(wrong: str) -> str:
    text = wrong.encode("utf-8", "backslashreplace").decode().replace("\n", "\\n").replace("|", "\\|")
    text = re.sub(r"\bhost:", "H:", re.sub(r"\bguest:", "G:", text))
    return text if len(text) <= 100 else f"{text[:97]}..."


def versions() -> str:
    """Return who takes part."""
    found = [f"devbox {_said(sys.executable, '-m', 'devbox', '--version').removeprefix('devbox ')}"]
    found += [f"Unison {_said('unison', '-version').split()[2]}", f"rsync {_said('rsync', '--version').split()[2]}"]
    program = peers.mutagen()
    return ", ".join([*found, f"Mutagen {_said(program, 'version')}" if program else "no Mutagen"])


def _said(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, check=True, text=True).stdout.strip()


def _rows(names: list[str]) -> Iterator[tuple[Scenario, dict[str, str]]]:
    for scenario in SCENARIOS:
        if scenario.nightly or (scenario.needs and not any(fits(scenario, kind) for kind in _OURS)):
            continue
        cells = {name: cell(outcome(name, scenario)) for name in names}
        sys.stderr.write(f"{scenario.id}: {cells}\n")
        yield scenario, cells


def page(names: list[str]) -> str:
    """Play all, and return the page."""
    rows = list(_rows(names))
    anew = "\n".join(
        f"- {scenario.title}: devbox {cells['devbox']}; Unison {cells['unison']}; Mutagen {cells['mutagen']}."
        for scenario, cells in rows
        if scenario.number == 7
    )
    today = datetime.datetime.now(tz=datetime.UTC).strftime("%d %B %Y").lstrip("0")
    head = _HEAD.format(date=today, versions=versions(), anew=anew)
    lines = [
        f"| {scenario.number} | {scenario.title} | {scenario.right} | {' | '.join(cells[name] for name in names)} |"
        for scenario, cells in rows
    ]
    return head + "\n".join(lines) + "\n"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--number", type=int, help="this row alone, and no page")
    asked = options.parse_args()
    names = ["devbox", *_KINDS]
    for name in ("unison", "rsync"):
        if shutil.which(name) is None:
            raise SystemExit(f"needs {name}: apt-get install {name}")
    with tempfile.TemporaryDirectory(prefix="peers-state-") as state:
        os.environ["XDG_STATE_HOME"] = state
        if asked.number is None:
            _PAGE.write_text(page(names), encoding="utf-8")
            return
        for scenario in SCENARIOS:
            if scenario.number == asked.number:
                for name in names:
                    found = outcome(name, scenario)
                    sys.stdout.write(f"{scenario.id:<40} {name:<8} {found and (found.wrong or 'right')}\n")


if __name__ == "__main__":
    main()
