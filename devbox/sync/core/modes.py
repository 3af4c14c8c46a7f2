"""What may go where: the modes of a session, and the paths for which another rule holds."""

from enum import Enum
from typing import NamedTuple


class Mode(Enum):
    """How the two sides follow each other; the values are those of the profile."""

    TWO_WAY = "two-way"
    TWO_WAY_RESOLVED = "two-way-resolved"
    ONE_WAY = "one-way"
    ONE_WAY_REPLICA = "one-way-replica"

    __hash__ = object.__hash__  # as of Side


class Git(Enum):
    """What happens to `.git`, wherever in the tree. HOST_TO_GUEST: the guest reads history and plants nothing."""

    EXCLUDE = "exclude"
    HOST_TO_GUEST = "host-to-guest"
    FULL = "full"


class Way(Enum):
    """Which rule holds for a path.

    MODE: that of the mode. HOST_TO_GUEST: the host's is put over the guest's, what only the guest has or changed stays
    there. PROTECTED: the guest's changes do not reach the host, else as the mode says.
    """

    MODE = "mode"
    HOST_TO_GUEST = "host-to-guest"
    PROTECTED = "protected"


class Law(NamedTuple):
    """A mode, taken apart.

    `to_host`: what the guest changes goes to the host. `host_wins`: where both changed, the host's counts.
    `mirror`: what the guest changes is undone.
    """

    to_host: bool
    host_wins: bool
    mirror: bool


LAWS = {
    Mode.TWO_WAY: Law(to_host=True, host_wins=False, mirror=False),
    Mode.TWO_WAY_RESOLVED: Law(to_host=True, host_wins=True, mirror=False),
    Mode.ONE_WAY: Law(to_host=False, host_wins=False, mirror=False),
    Mode.ONE_WAY_REPLICA: Law(to_host=False, host_wins=True, mirror=True),
}


def law(mode: Mode, way: Way) -> Law:
    """What holds for a path with this way, in this mode."""
    found = LAWS[mode]
    match way:
        case Way.MODE:
            return found
        case Way.HOST_TO_GUEST:
            return found._replace(to_host=False, host_wins=True)
        case Way.PROTECTED:
            return found._replace(to_host=False)
