"""Write the table of what Debian's and Ubuntu's releases hold from their archives' own package indexes.

    python scripts/releases.py            write devbox/profile/toolchains/table.py
    python scripts/releases.py --check    exit 1 if a stable release of Debian holds something else than the table says

The mirror is the one that apt is set up with, or the one given. Without --ubuntu, Ubuntu's rows stay as they are.
"""

import argparse
import lzma
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from pprint import pformat

from devbox.profile.toolchains.table import HELD

Row = tuple[str, str]  # version, package
Rows = dict[str, tuple[Row, ...]]  # by tool

TABLE = Path(__file__).parents[1] / "devbox" / "profile" / "toolchains" / "table.py"
DEBIAN = {"11": "bullseye", "12": "bookworm", "13": "trixie", "sid": "sid"}
UBUNTU = {"22.04": "jammy", "24.04": "noble"}
MOVING = "sid"  # is compared, and does not fail a check
EARLY = re.compile(r"(?:[0-9]+:)?[0-9]+~[0-9]*ea")  # a JDK that is not out yet

HEAD = '''"""What the releases of Debian and Ubuntu hold: written by scripts/releases.py, which see. Not edited by hand.

By release and tool: version and package, the release's own default first. A version has as many parts as do not change
while the release lives.
"""

from collections.abc import Mapping
from typing import Final

HELD: Final[Mapping[str, Mapping[str, tuple[tuple[str, str], ...]]]] = '''


@dataclass(frozen=True, kw_only=True)
class Tool:
    """How a tool's packages are called. `parts`: how many of its version's stay, in a stable release and in sid."""

    default: str  # the package that stands for the release's own version
    real: str = ""  # pattern of the package with the program, where the default only points to one
    others: str = ""  # pattern of those that can be installed beside or instead
    parts: tuple[int, int]
    oldest: int = 0  # second number of the oldest that is of use; with an older default, the others go before it


TOOLS = {
    "python": Tool(default="python3", others=r"python3\.\d+", parts=(3, 2)),
    "node": Tool(default="nodejs", parts=(3, 1)),
    "go": Tool(default="golang-go", real=r"golang-1\.\d+-go", others=r"golang-1\.\d+-go", parts=(3, 2)),
    # The cargo of a Rust before 1.68 does not speak its registry's protocol.
    "rust": Tool(default="rustc", others="rustc-web", parts=(2, 2), oldest=68),
    "rustup": Tool(default="rustup", parts=(3, 2)),
    "java": Tool(default="default-jdk-headless", others=r"openjdk-\d+-jdk-headless", parts=(1, 1)),
    "ruby": Tool(default="ruby-full", real=r"ruby\d\.\d", parts=(3, 2)),
    "php": Tool(default="php-cli", parts=(2, 2)),
    "c": Tool(default="gcc", others=r"gcc-\d+", parts=(2, 1)),
}


def packages(index: str) -> dict[str, str]:
    """Return the newest version of each package of an archive's index (the last one listed)."""
    names = re.findall(r"^Package: (\S+)$", index, re.MULTILINE)
    versions = re.findall(r"^Version: (\S+)$", index, re.MULTILINE)
    return dict(zip(names, versions, strict=True))


def rows(held: Mapping[str, str], *, moving: bool) -> Rows:
    """Return the table's rows of a release that holds the packages `held`."""
    return {name: found for name, tool in TOOLS.items() if (found := tuple(_rows(held, tool, moving=moving)))}


def _rows(held: Mapping[str, str], tool: Tool, *, moving: bool) -> Iterator[Row]:
    if tool.default not in held:
        return
    parts = tool.parts[moving]
    default = short(held[tool.default], parts)
    real = [short(held[name], parts) for name in _matching(held, tool.real)]
    default = next((version for version in real if f"{version}.".startswith(f"{default}.")), default)
    others = [name for name in _matching(held, tool.others) if not EARLY.match(held[name])]
    found = [(short(held[name], parts), name) for name in others]
    rest = sorted((row for row in found if row[0] != default), key=_place, reverse=True)
    own = (default, tool.default)
    yield from (*rest, own) if _place(own)[:2] < [1, tool.oldest] else (own, *rest)


def _matching(held: Mapping[str, str], pattern: str) -> list[str]:
    return [name for name in held if pattern and re.fullmatch(pattern, name)]


def _place(row: Row) -> list[int]:
    return [int(part) for part in row[0].split(".")]


def short(version: str, parts: int) -> str:
    """Return the upstream version of a Debian one: "2:1.19~1" is 1.19. That of default-jdk stands after "1."."""
    version = re.sub(r"^[0-9]+:(?:1\.(?=[1-9][0-9]-))?", "", version)
    match = re.match(r"8u|[0-9]+(?:\.[0-9]+)*", version)
    assert match is not None, version
    return ".".join(match[0].rstrip("u").split(".")[:parts])


def fetch(mirror: str, suite: str, component: str) -> str:
    """Return the index of the amd64 packages of one component."""
    url = f"{mirror.rstrip('/')}/dists/{suite}/{component}/binary-amd64/Packages.xz"
    with urllib.request.urlopen(url, timeout=60) as answer:  # the mirror is the maintainer's own
        return lzma.decompress(answer.read()).decode("utf-8")


def debian(mirror: str) -> dict[str, Rows]:
    """Return the rows of Debian's releases."""
    return {
        f"debian:{version}": rows(packages(fetch(mirror, suite, "main")), moving=version == MOVING)
        for version, suite in DEBIAN.items()
    }


def ubuntu(mirror: str | None) -> dict[str, Rows]:
    """Return the rows of Ubuntu's releases, as they are if no mirror is given."""
    if mirror is None:
        return {name: dict(tools) for name, tools in HELD.items() if name.startswith("ubuntu:")}
    return {
        f"ubuntu:{version}": rows(
            {
                name: of
                for part in (suite, f"{suite}-updates")
                for component in ("main", "universe")
                for name, of in packages(fetch(mirror, part, component)).items()
            },
            moving=False,
        )
        for version, suite in UBUNTU.items()
    }


def apts_mirror() -> str:
    """Return the address from which apt takes Debian here."""
    words = "$(REPO_URI) $(ORIGIN) $(LABEL)"
    said = subprocess.run(["apt-get", "indextargets", "--format", words], capture_output=True, text=True, check=True)
    for line in said.stdout.splitlines():
        uri, _, of = line.partition(" ")
        if of == "Debian Debian":
            return uri
    sys.exit("apt is not set up with Debian's archive here, or has not been updated; say --debian MIRROR")


def compare(found: Mapping[str, Rows], known: Mapping[str, Mapping[str, tuple[Row, ...]]]) -> Iterator[str]:
    """Yield each difference, one line for a release and tool."""
    for release, tools in found.items():
        for tool in TOOLS:
            then, now = known.get(release, {}).get(tool, ()), tools.get(tool, ())
            if then != now:
                yield f"{release} {tool}: the table has {_said(then)}, the archive {_said(now)}"


def _said(found: tuple[Row, ...]) -> str:
    return ", ".join(f"{version} ({package})" for version, package in found) or "none"


def check(found: Mapping[str, Rows], say: Callable[[str], object] = print) -> int:
    """Say what differs from the table; 1 if that is in a stable release."""
    stale = list(compare(found, HELD))
    for line in stale:
        say(line)
    return int(any(not line.startswith(f"debian:{MOVING} ") for line in stale))


def main() -> int:
    """Write the table, or check it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--debian", metavar="MIRROR")
    parser.add_argument("--ubuntu", metavar="MIRROR")
    given = parser.parse_args()
    found = debian(given.debian or apts_mirror()) | ubuntu(given.ubuntu)
    if given.check:
        return check(found)
    TABLE.write_text(HEAD + pformat(found, width=118, sort_dicts=False) + "\n", encoding="utf-8")
    return subprocess.run([sys.executable, "-m", "ruff", "format", "-q", str(TABLE)], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
