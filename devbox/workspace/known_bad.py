"""Engine and runc versions with known holes that matter to an environment (S-12). Pure data and one function.

The numbers are the upstream projects' own. A distribution may have mended a hole under an old number, which a
version cannot tell; whoever shows these says so.
"""

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownBad:
    """Versions from `since` up to, not including, `fixed`."""

    program: str  # "docker", "runc"
    fixed: str
    what: str
    since: str = "0"


KNOWN_BAD: Final = (
    KnownBad(program="runc", fixed="1.1.12", what="a container can reach the host's files (CVE-2024-21626)"),
    KnownBad(program="runc", fixed="1.2.8", what="a container can reach the host (CVE-2025-31133, -52565, -52881)"),
    KnownBad(
        program="runc",
        since="1.3.0",
        fixed="1.3.3",
        what="a container can reach the host (CVE-2025-31133, -52565, -52881)",
    ),
)


def known_bad(program: str, version: str) -> list[KnownBad]:
    """Return the entries that `version` falls under; none for a version that cannot be read."""
    numbers = _numbers(version)
    if not numbers:
        return []
    return [
        entry
        for entry in KNOWN_BAD
        if entry.program == program and _numbers(entry.since) <= numbers < _numbers(entry.fixed)
    ]


def _numbers(version: str) -> tuple[int, ...]:
    match = re.match(r"[0-9]+(?:\.[0-9]+)*", version)
    return tuple(int(part) for part in match[0].split(".")) if match else ()
