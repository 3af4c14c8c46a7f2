"""What is done inside a machine once its agent answers: its volumes are put in place, and its files. Pure."""

import shlex
from collections.abc import Sequence
from typing import Final

from devbox.runtimes.base import DataVolume

SERIAL: Final = "devbox-data"  # of the disk that holds the volumes
_DATA: Final = "/run/devbox/data"
_IMAGE: Final = "/run/devbox/image"  # the root disk without what is mounted over it
# A machine that boots has a hundred programs to start, and each that is started here waits for its turn among them: so
# these come first, they are few, and the shell does what it can by itself.
_FIRST: Final = "renice -n -19 -p $$ > /dev/null 2>&1 || true"
_PLACE: Final = f"""
set -eu
umask 022
{_FIRST}
find_source() {{  # of what is mounted at $1, as the kernel writes it; nothing: nothing is
  source=
  while read -r id parent device root point rest; do
    if [ "$point" = "$1" ]; then rest=${{rest#* - }}; rest=${{rest#* }}; source=${{rest%% *}}; fi
  done < /proc/self/mountinfo
}}
[ -d {_DATA} ] || mkdir -p {_DATA}
find_source {_DATA}
if [ -z "$source" ]; then
  disk=
  for one in /sys/block/vd*; do
    serial=
    read -r serial < "$one/serial" || true  # it ends without a newline
    if [ "$serial" = {SERIAL} ]; then disk=/dev/${{one##*/}}; fi
  done
  [ -n "$disk" ] || {{ echo "the disk of the volumes is not there" >&2; exit 1; }}
  mount -t ext4 "$disk" {_DATA}
fi
for one in / {_DATA}; do  # a disk may have grown since its file system was made
  find_source "$one"
  if command -v resize2fs > /dev/null; then resize2fs "$source" > /dev/null 2>&1 || true; fi
done
fill() {{  # $1 with what the image has at $2
  find_source {_IMAGE}
  if [ -z "$source" ]; then
    mkdir -p {_IMAGE}
    mount --bind / {_IMAGE}
    mount --make-rprivate {_IMAGE}  # what is mounted from here on is not seen below it
  fi
  if [ -d "{_IMAGE}$2" ]; then cp -a "{_IMAGE}$2/." "$1/"; fi
}}
place() {{
  find_source "$3"
  if [ -n "$source" ]; then return 0; fi
  if [ ! -d "{_DATA}/$1" ]; then
    rm -rf "{_DATA}/.new"
    mkdir "{_DATA}/.new"
    if [ "$4" = filled ]; then fill "{_DATA}/.new" "$2"; fi
    mv "{_DATA}/.new" "{_DATA}/$1"
  fi
  [ -d "$2" ] || mkdir -p "$2"
  mount --bind "{_DATA}/$1" "$2"
}}
""".strip()
_DONE: Final = f'find_source {_IMAGE}\nif [ -n "$source" ]; then umount {_IMAGE}; fi'
_TAKE: Final = f"""
set -eu
umask 022
{_FIRST}
[ -d "${{0%/*}}" ] || mkdir -p "${{0%/*}}"
cat > "$0.new"
mv -f "$0.new" "$0"
""".strip()
_WRITTEN: Final = str.maketrans({" ": r"\040", "\t": r"\011", "\n": r"\012", "\\": r"\134"})


def place_volumes(volumes: Sequence[DataVolume]) -> tuple[str, ...]:
    """Return the command that mounts `volumes`, each filled first with what the Image has there, unless it is bare.

    What is in place stays, so it may run again after whatever ended it.
    """
    ordered = sorted(volumes, key=lambda one: one.target.count("/"))
    calls = [
        # The third: the target as the kernel writes it in its list of mounts.
        shlex.join(("place", one.name, one.target, one.target.translate(_WRITTEN), "bare" if one.bare else "filled"))
        for one in ordered
    ]
    return ("/bin/sh", "-c", "\n".join([_PLACE, *calls, _DONE]))


def take_file(target: str) -> tuple[str, ...]:
    """Return the command that makes the file `target` of its stdin."""
    return ("/bin/sh", "-c", _TAKE, target)
