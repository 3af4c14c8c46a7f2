"""What is done inside a machine once its agent answers: its volumes are put in place, and its files. Pure."""

import shlex
from collections.abc import Sequence
from typing import Final

from devbox.runtimes.base import DataVolume

SERIAL: Final = "devbox-data"  # of the disk that holds the volumes
_DATA: Final = "/run/devbox/data"
_IMAGE: Final = "/run/devbox/image"  # the root disk without what is mounted over it
_PLACE: Final = f"""
set -eu
umask 022
mkdir -p {_DATA} {_IMAGE}
if ! mountpoint -q {_DATA}; then
  disk=
  for one in /sys/block/vd*; do
    if [ "$(cat "$one/serial")" = {SERIAL} ]; then disk=/dev/${{one##*/}}; fi
  done
  [ -n "$disk" ] || {{ echo "the disk of the volumes is not there" >&2; exit 1; }}
  mount -t ext4 "$disk" {_DATA}
fi
for one in / {_DATA}; do  # a disk may have grown since its file system was made
  if command -v resize2fs > /dev/null; then resize2fs "$(findmnt -n -o SOURCE "$one")" > /dev/null 2>&1 || true; fi
done
mountpoint -q {_IMAGE} || mount --bind / {_IMAGE}
mount --make-rprivate {_IMAGE}  # what is mounted from here on is not seen below it
place() {{
  if mountpoint -q "$2"; then return 0; fi
  if [ ! -d "{_DATA}/$1" ]; then
    rm -rf "{_DATA}/.new"
    mkdir "{_DATA}/.new"
    if [ "$3" = filled ] && [ -d "{_IMAGE}$2" ]; then cp -a "{_IMAGE}$2/." "{_DATA}/.new/"; fi
    mv "{_DATA}/.new" "{_DATA}/$1"
  fi
  mkdir -p "$2"
  mount --bind "{_DATA}/$1" "$2"
}}
""".strip()
_TAKE: Final = 'set -eu; umask 022; mkdir -p "$(dirname "$0")"; cat > "$0.new"; chmod 644 "$0.new"; mv -f "$0.new" "$0"'


def place_volumes(volumes: Sequence[DataVolume]) -> tuple[str, ...]:
    """Return the command that mounts `volumes`, each filled first with what the Image has there, unless it is bare.

    What is in place stays, so it may run again after whatever ended it.
    """
    ordered = sorted(volumes, key=lambda one: one.target.count("/"))
    calls = [shlex.join(("place", one.name, one.target, "bare" if one.bare else "filled")) for one in ordered]
    return ("/bin/sh", "-c", "\n".join([_PLACE, *calls, f"umount {_IMAGE}"]))


def take_file(target: str) -> tuple[str, ...]:
    """Return the command that makes the file `target` of its stdin."""
    return ("/bin/sh", "-c", _TAKE, target)
