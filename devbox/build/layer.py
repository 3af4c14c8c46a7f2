"""What a step has changed, and how the same is brought into what runs: compare, and only then swap. Pure.

Packages that come into an image and into an environment that stands on it would be unpacked and set up twice, side by
side. Instead the step's own result is carried over: its container notes what there is before the step, and writes an
archive of what is new or changed after it. That goes in only if all that it replaces is what the image had before the
step, file by file. What an archive cannot say (a file that is gone, a library in use that is replaced) is left to the
packages' own tools. No engine's list of changes is asked for: Docker compares whole trees for it, which takes seconds.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from devbox.build.recipe import RUN_DIRECTORY

STATUS_CHANGED: Final = 90  # inside: something is not as it was before the step, and nothing was done
STATUS_BUSY: Final = 91  # inside: somebody else is changing packages just now, and nothing was done
WRITTEN: Final = b"devbox: written\n"  # on stdout, after an archive that is whole

_PLAIN: Final = re.compile(r"/[!-\[\]-~]+")  # no space, no backslash: what a line of sha256sum says without marks
# Is replaced in one step, or a program breaks.
_IN_USE: Final = re.compile(r"/(?!etc/|var/).*(/s?bin/[^/]+|\.so(\.[^/]*)?)")
_SHARED: Final = "^/etc/|^/var/(cache|lib/[^d]|lib/dpkg/[^i])|/[^/]*(cache|compiled)[^/_]*$"
_WHOLE: Final = "whole"
_NOTES: Final = RUN_DIRECTORY + "/notes"
_TREE: Final = r"find / -xdev \( -path /dev -o -path /proc -o -path /run/devbox -o -path /sys \) -prune -o"
_TAR: Final = "--numeric-owner --xattrs --xattrs-include=security.capability"
# Prints a line for what is new or changed, and for what is gone: a letter, of what was a file its SHA-256, a path.
_COMPARE: Final = """
FILENAME ~ /names$/ { there[$0]; next }
FILENAME ~ /sums$/ { sum[substr($0, 67)] = substr($0, 1, 64); next }
$1 == "status" { whole = $2 == 0; next }
{ path = substr($0, length($1) + length($2) + 3); was = (path in there); delete there[path] }
$1 <= mark { next }
$2 == "d" { print "d - " path; next }
!was { print "n - " path; next }
{ print "m", (path in sum ? sum[path] : "-"), path }
END { for (path in there) print "r - " path; if (whole) print "whole" }
""".strip()
# Takes the lock of whoever changes packages, as apt and dpkg do (fcntl, which no tool of the shell can), and goes on
# as the command that it is given, which keeps it. Perl is part of every Debian, since dpkg needs it.
_LOCKED: Final = (
    '$^F = 255; open(my $lock, ">>", "/var/lib/dpkg/lock-frontend") or exit BUSY; '
    'my $whole = pack("s s x4 q q i x4", F_WRLCK, 0, 0, 0, 0); fcntl($lock, F_SETLK, $whole) or exit BUSY; '
    "exec @ARGV; exit BUSY"
).replace("BUSY", str(STATUS_BUSY))

# Brings a layer in, inside, as root. Ends with one of the statuses above before it has done anything, or as tar does.
BRING: Final = (
    *("perl", "-MFcntl", "-e", _LOCKED, "/bin/sh", "-c"),
    'read -r size && file=$(mktemp) && head -c "$size" > "$file" && [ "$(wc -c < "$file")" -eq "$size" ]'
    f' && exec 3< "$file" && rm "$file" && . /dev/fd/3 || exit {STATUS_CHANGED}',
)


# Of a file that may do what only root can: an environment may not give such rights, which its packages know how to do
# without.
CAPABLE: Final = b"SCHILY.xattr.security.capability"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """What a step changed: paths, those that were files there already with their SHA-256 of before; and a tar of it."""

    directories: tuple[str, ...]
    new: tuple[str, ...]
    replaced: tuple[tuple[str, str], ...]  # path, 64 hex
    archive: bytes = field(default=b"", repr=False)

    @property
    def paths(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.directories, *self.new, *(path for path, _ in self.replaced))


class Carrier(Protocol):
    """Takes what the last step of a build changed. Either `carry` or `decline` is called, the latter maybe twice."""

    def carry(self, layer: Layer) -> None:
        """Take it; returns at once."""

    def decline(self) -> None:
        """There will be none."""


def noting() -> str:
    """Return the script that notes what there is: all names, and the digests of what packages change together.

    These are files of `/etc` and `/var`, and caches. What is changed after it is newer than its mark.
    """
    lines = [
        f"mkdir -p {_NOTES}",
        f"{_TREE} -printf '%p\\n' > {_NOTES}/names",
        f"LC_ALL=C grep -E '{_SHARED}' {_NOTES}/names | xargs -r -d '\\n' sha256sum > {_NOTES}/sums 2>/dev/null",
        f"date +%s.%N > {_NOTES}/mark",
        "sleep 0.02",  # a file system's clock goes by steps
    ]
    return "\n".join(lines) + "\n"


def listing() -> str:
    """Return the script that prints what `listed` reads; it never fails."""
    tree = f"{{ {_TREE} -printf '%C@ %y %p\\n'; echo \"status $?\"; }}"
    compare = f"LC_ALL=C awk -v mark=\"$(cat {_NOTES}/mark)\" '{_COMPARE}' {_NOTES}/names {_NOTES}/sums -"
    return f"[ ! -s {_NOTES}/mark ] || {tree} | {compare} || true\n"


def listed(lines: Sequence[str]) -> Layer | None:
    """Return what has changed, without an archive.

    None if an archive cannot say it, if nobody knows what it would replace, or if the list is not whole.
    """
    found: dict[str, list[tuple[str, str]]] = {"d": [], "n": [], "m": []}
    *changes, end = lines or [""]
    if end != _WHOLE:
        return None
    for line in changes:
        letter, _, rest = line.partition(" ")
        digest, _, path = rest.partition(" ")
        known = letter in found and path.startswith("/")
        if not known or (letter == "m" and not (_PLAIN.fullmatch(path) and digest != "-")):
            return None
        if letter == "m" and _IN_USE.fullmatch(path):
            return None
        found[letter].append((path, digest))
    return Layer(
        directories=tuple(path for path, _ in found["d"] if path != "/"),
        new=tuple(path for path, _ in found["n"]),
        replaced=tuple(found["m"]),
    )


def archiving(layer: Layer) -> str:
    """Return the script that writes the archive of `layer` to stdout, and `WRITTEN`; it never fails."""
    lines = [f"cat > {_NOTES}/paths <<'devbox-end'", *(path[1:] for path in sorted(layer.paths)), "devbox-end"]
    tar = f"tar -cf - -C / --no-recursion {_TAR} --verbatim-files-from -T {_NOTES}/paths"
    return "\n".join([*lines, f"{tar} && printf %s '{WRITTEN.decode()}' || true"]) + "\n"


def brought(layer: Layer) -> bytes:
    """Return what `BRING` takes on its stdin, before the archive: how to compare all that it would replace."""
    changed = f"exit {STATUS_CHANGED}"
    lines = ["cd /"]
    if layer.replaced:
        sums = (f"{digest}  {path}" for path, digest in layer.replaced)
        lines += [f"sha256sum --status --strict -c - <<'devbox-end' || {changed}", *sums, "devbox-end"]
    lines += _each(layer.directories, f'[ ! -L "$path" ] && {{ [ -d "$path" ] || [ ! -e "$path" ]; }} || {changed}')
    lines += _each(layer.new, f'[ ! -e "$path" ] && [ ! -L "$path" ] || {changed}')
    script = "\n".join([*lines, f"exec tar -xpf - -C / {_TAR} --delay-directory-restore"]) + "\n"
    return f"{len(script.encode('utf-8', 'surrogateescape'))}\n".encode() + script.encode("utf-8", "surrogateescape")


def _each(paths: tuple[str, ...], check: str) -> list[str]:
    return ["while IFS= read -r path; do", check, "done <<'devbox-end'", *paths, "devbox-end"] if paths else []
