"""What a process inside gets from the host: an allow-list, the profile's `from_host`, and its secrets (S-30, S-31)."""

from collections.abc import Mapping
from pathlib import Path

from devbox.profile.model import Profile
from devbox.values import GuestUser
from devbox.workspace.context import Host

ALLOWED = ("TERM", "COLORTERM")  # and TZ, which is looked up if it is not set
_ZONES = "/zoneinfo/"


def session_env(host: Host, user: GuestUser, *, terminal: bool) -> dict[str, str]:
    """Return the variables of every process of `user`; what tells of a terminal only where there is one."""
    env = {"HOME": user.home, "USER": user.name, "LOGNAME": user.name}
    if terminal:
        env |= {name: host.environ[name] for name in ALLOWED if host.environ.get(name)}
    zone = timezone(host.environ)
    return env | {"TZ": zone} if zone else env


def timezone(environ: Mapping[str, str], localtime: Path = Path("/etc/localtime")) -> str | None:
    """Return the host's time zone by its name, from TZ or from where /etc/localtime leads."""
    zone = environ.get("TZ", "").removeprefix(":")
    if zone and not zone.startswith("/"):
        return zone
    try:
        target = str(localtime.readlink())
    except OSError:
        return None
    return target.rpartition(_ZONES)[2] if _ZONES in target else None


def from_host(host: Host, profile: Profile) -> dict[str, str]:
    """Return the variables that the profile takes from the host, as far as they are set; needs trust."""
    return {name: host.environ[name] for name in profile.env.from_host if name in host.environ}
