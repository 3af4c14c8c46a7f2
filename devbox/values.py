"""Small value types and their grammar: sizes, slugs, guest paths, labels. Pure; errors are `ValueError`.

A `ValueError` from here says what is wrong and what to write instead; whoever knows the key and line makes
a `Problem` of it.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Final

LABEL_WORKSPACE: Final = "devbox.workspace"  # hash of the workspace's real path
LABEL_OWNER: Final = "devbox.owner"  # uid and a hash of the machine id, since engines are shared
LABEL_ROLE: Final = "devbox.role"  # one of the ROLE_* below
LABEL_SCHEMA: Final = "devbox.schema"  # version of these labels
LABEL_RECIPE: Final = "devbox.recipe"  # digest of a step and all before it (layers and images)
LABEL_SPEC: Final = "devbox.spec"  # digest of the InstanceSpec that a container was made from
LABEL_AGENT: Final = "devbox.agent"  # build of the agent that a container lives by
LABEL_IMAGE: Final = "devbox.image"  # id of the image, where the container's own has the agent on top of it
LABEL_NAME: Final = "devbox.name"  # the profile's name
LABEL_PROJECT: Final = "devbox.project"  # the workspace's real path, where no mount of the container says it
LABEL_MACHINE: Final = "devbox.machine"  # the name of one of several machines; absent on the profile's own
LABEL_GROUP: Final = "devbox.group"  # beside it: hash of the project's real path, which all of them have in common
LABEL_BASE: Final = "devbox.base"  # the reference that a bootstrapped base stands for, "debian:12"
LABEL_MAKER: Final = "devbox.maker"  # digest of how a bootstrapped base was made; a newer devbox may do it differently
LABEL_EPOCH: Final = "devbox.source-date-epoch"  # of the archive that a base was made from, in seconds
SCHEMA: Final = "1"

ROLE_BASE: Final = "base"  # image: a bootstrapped base or a Dockerfile's target
ROLE_LAYER: Final = "layer"  # image: the state after one step
ROLE_FAILED: Final = "failed"  # image: the state in which a step failed
ROLE_AGENT: Final = "agent"  # image: another one with the agent on top, for an engine elsewhere
ROLE_STEP: Final = "step"  # container: runs one build step
ROLE_ENVIRONMENT: Final = "environment"  # container: what the user enters
ROLE_CACHE: Final = "cache"  # volume: downloads, shared by all workspaces of an owner
ROLE_NETWORK: Final = "network"  # network: what the machines of one project have among themselves
ROLE_DATA: Final = "data"  # volume: belongs to one workspace, and can be filled again
ROLE_WORKSPACE: Final = "workspace"  # volume: the guest's files of one workspace, which only destroy may take away

SLUG_MAX: Final = 40
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]*\Z")
_SIZE = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?) ?(?P<unit>[kKMGT]i?B?|B)\Z", re.ASCII)
_UNITS: Final = {"": 1, "k": 1, "m": 2, "g": 3, "t": 4}
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_HOST_ONLY: Final = ("/proc", "/sys", "/dev")
_SYSTEM: Final = frozenset(
    "/ /bin /boot /etc /lib /lib64 /root /run /sbin /usr /usr/bin /usr/lib /usr/sbin /var".split()  # noqa: SIM905
)


def slug(name: str) -> str:
    """Return `name` reduced to the grammar of names that devbox gives: `[a-z0-9][a-z0-9-]{0,39}`.

    Never empty: a name with no usable character becomes `box`.
    """
    text = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:SLUG_MAX].rstrip("-")
    return text or "box"


def check_slug(name: str) -> str:
    """Return `name` if it keeps the grammar of `slug`, else raise `ValueError` with the slug to write instead."""
    if len(name) <= SLUG_MAX and _SLUG.match(name) and not name.endswith("-"):
        return name
    raise ValueError(f'not a name: lower-case letters, digits and "-", at most {SLUG_MAX}; write "{slug(name)}"')


def short_hash(text: str) -> str:
    """Return the first 8 hex digits of the SHA-256 of `text`."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:8]


def workspace_hash(path: str, machine: str = "") -> str:
    """Return the 8 hex digits that name the Workspace at `path` everywhere, or one `machine` of several that it has."""
    return short_hash(f"{path}\0{machine}" if machine else path)


def parse_size(text: str) -> int:
    """Return `text` ("2 GiB", "512MiB", "1.5 GB") in bytes; `ValueError` for zero, no unit or anything else."""
    match = _SIZE.match(text.strip())
    if not match:
        raise ValueError('not a size: write a number and a unit, as "2 GiB" or "512 MiB"')
    unit = match["unit"]
    factor = 1024 if "i" in unit or not unit.endswith("B") else 1000
    power = 0 if unit == "B" else _UNITS[unit[0].lower()]
    size = int(float(match["number"]) * factor**power)
    if size <= 0:
        raise ValueError('a size must be more than zero, as "2 GiB"')
    return size


def format_size(size: int) -> str:
    """Return `size` bytes for a person: three digits and a binary unit ("2.0 GiB")."""
    value = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def check_env_name(name: str) -> str:
    """Return `name` if it can be an environment variable of a guest (S-31), else raise `ValueError`."""
    if not _ENV_NAME.match(name):
        raise ValueError("not a variable name: letters, digits and _, not a digit first")
    return name


def check_text(value: str) -> str:
    """Return `value` unless it has a NUL, which no argument, path or variable can carry."""
    if "\0" in value:
        raise ValueError("has a NUL character; take it out")
    return value


def check_guest_path(path: str, *, may_be_system: bool = False) -> str:
    """Return `path` if it may be a working directory or mount target inside (S-11), else raise `ValueError`.

    Absolute, normalised, nothing below /proc, /sys or /dev; and unless `may_be_system`, not a directory that
    the system itself lives in, nor devbox's own /run/devbox.
    """
    check_text(path)
    if not path.startswith("/"):
        raise ValueError("not an absolute path; write it from /")
    parts = path.split("/")[1:]
    if path != "/" and any(part in ("", ".", "..") for part in parts):
        raise ValueError("not a normalised path; write it without //, . or .. and without / at the end")
    for forbidden in _HOST_ONLY:
        if path == forbidden or path.startswith(forbidden + "/"):
            raise ValueError(f"lies in {forbidden}, which belongs to the kernel; choose another directory")
    if may_be_system:
        return path
    if path in _SYSTEM or path.startswith(("/etc/", "/run/devbox")):
        raise ValueError("would hide a part of the system inside; choose another directory, as /data")
    return path


def check_hostname(name: str) -> str:
    """Return `name` if it is one RFC 1123 label of at most 63 characters, else raise `ValueError`."""
    if re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", name):
        return name
    raise ValueError("not a host name: lower-case letters, digits and -, at most 63")


def printable(text: str) -> str:
    """Return `text` with every control and direction-changing character escaped (S-09), line ends included."""
    return "".join(_escape(char) for char in text)


def _escape(char: str) -> str:
    code = ord(char)
    risky = code < 0x20 or 0x7F <= code <= 0x9F or 0x202A <= code <= 0x202E or 0x2066 <= code <= 0x2069
    risky = risky or code in (0x200E, 0x200F, 0x2028, 0x2029) or 0xD800 <= code <= 0xDFFF
    if not risky:
        return char
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestUser:
    """Who the user is inside: the name, ids and home that files and processes get."""

    name: str
    uid: int
    gid: int
    home: str
    shell: str = "bash"

    @property
    def is_root(self) -> bool:
        """Whether the user inside is root."""
        return self.uid == 0
