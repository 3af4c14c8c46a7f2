"""The disk by which a system that devbox has not made is told who it is, and given the agent. Pure.

It is one that cloud-init reads (its source `NoCloud`: a disk with the label `cidata`). What cloud-init does with it is
little: it knows the machine's name, address, user and keys, and runs one command, which puts the agent in place with a
unit of its own; in each later boot that is there by itself, and looks at this disk again, which devbox writes anew.
"""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from devbox.values import GuestUser
from devbox.vm.iso9660 import image
from devbox.vm.keys import Keys
from devbox.vm.qemu_args import ADDRESS, GATEWAY, NAME_SERVER, private_mac

SERIAL: Final = "devbox-seed"  # of the disk, by which it is found inside
LABEL: Final = "cidata"
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# Run by cloud-init in the first boot, and by the unit in each one. A system without udev has no names for disks, and
# from many a /run no program can be started. The disk is mounted for a moment, by each who runs this for himself.
FIND: Final = f"""
set -eu
find_seed() {{
  for one in /sys/block/*; do
    serial=
    read -r serial 2> /dev/null < "$one/serial" || true  # it ends without a newline
    if [ "$serial" = {SERIAL} ]; then echo "/dev/${{one##*/}}"; return; fi
  done
}}
waited=0
until disk=$(find_seed) && [ -b "$disk" ]; do
  waited=$((waited + 1))
  if [ "$waited" -gt 100 ]; then echo "devbox: the disk {SERIAL} is not there" >&2; exit 1; fi
  sleep 0.1
done
umask 077
mkdir -p /run/devbox
grep -q " /run/devbox " /proc/self/mounts || mount -t tmpfs -o mode=0700,nosuid,nodev devbox /run/devbox
place=/run/devbox/seed.$$
mkdir -p "$place"
mount -t iso9660 -o ro "$disk" "$place"
failed=0
/bin/sh "$place/devbox/attach" "$place/devbox" "$@" || failed=1
umount "$place"
rmdir "$place"
exit "$failed"
""".strip()

BY_HAND: Final = "mount -L cidata /mnt && sh /mnt/devbox/seed"  # what brings the agent where nobody else does

_UNIT: Final = """
# Written by devbox: the way into this machine.
[Unit]
Description=devbox agent
DefaultDependencies=no
After=local-fs.target systemd-udevd.service
Before=shutdown.target
Conflicts=shutdown.target
StartLimitIntervalSec=0

[Service]
ExecStartPre=/bin/sh /etc/devbox/seed placed
ExecStart=/run/devbox/agent machine
KillMode=process
Restart=always
RestartSec=1
TasksMax=infinity
OOMScoreAdjust=-900
IgnoreSIGPIPE=no
StandardError=journal+console

[Install]
WantedBy=sysinit.target
""".lstrip()

# `$1`: where the files are. `$2`: "placed" where the unit is there already and only wants its files; else all is to be
# set up, and started.
_ATTACH: Final = """
set -eu
umask 077
seed=$1
unit=/etc/systemd/system/devbox-agent.service
if [ "${2:-}" != placed ] && cmp -s "$seed/unit" "$unit" && systemctl -q is-active devbox-agent.service; then
  exit 0  # a later boot, in which it has started by itself
fi
mkdir -p /run/devbox/boot
for fact in "$seed"/boot/*; do cat "$fact" > "/run/devbox/boot/${fact##*/}"; done
cat "$seed/agent" > /run/devbox/agent.new
chmod 755 /run/devbox/agent.new
chcon -t bin_t /run/devbox/agent.new 2> /dev/null || true  # where SELinux lets no unit start anything else
mv -f /run/devbox/agent.new /run/devbox/agent
. "$seed/user"
umask 022
if [ "$uid" != 0 ]; then
  if ! cut -d: -f3 /etc/passwd | grep -qx "$uid"; then
    cut -d: -f3 /etc/group | grep -qx "$gid" || groupadd -g "$gid" "$name" || addgroup -g "$gid" "$name" || true
    shell=/bin/bash
    [ -x "$shell" ] || shell=/bin/sh
    useradd -m -u "$uid" -g "$gid" -d "$home" -s "$shell" "$name" ||
      adduser -D -u "$uid" -G "$name" -h "$home" -s "$shell" "$name" || true
  fi
  if [ ! -d "$home" ]; then mkdir -p "$home"; chown "$uid:$gid" "$home"; fi
fi
if [ "${2:-}" = placed ]; then exit 0; fi
if [ ! -d /run/systemd/system ]; then
  setsid /run/devbox/agent machine < /dev/null > /dev/null 2>&1 &
  exit 0
fi
mkdir -p /etc/devbox /etc/systemd/system/sysinit.target.wants
cat "$seed/seed" > /etc/devbox/seed
cat "$seed/unit" > "$unit"
ln -sf ../devbox-agent.service /etc/systemd/system/sysinit.target.wants/devbox-agent.service
systemctl daemon-reload
systemctl start --no-block devbox-agent.service
""".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """What one machine is told. `instance`: its UUID; `identity`: 64 hex of its agent; `environment`: of all inside.

    `program`: the agent; `mac`: of its network, by which that is known inside. `private`: its address among the other
    machines of its project, if it is one of several.
    """

    instance: str
    hostname: str
    user: GuestUser
    identity: str
    environment: Mapping[str, str]
    mac: str
    program: bytes
    keys: Keys
    private: str = ""


def disk(seed: Seed) -> bytes:
    """Return the disk of `seed`, which has a private key on it."""
    user = seed.user
    known = {"uid": user.uid, "gid": user.gid, "name": user.name, "home": user.home}
    environment = {"PATH": _PATH, **seed.environment}
    pairs = "".join(f"{name}={value}\0" for name, value in sorted(environment.items()))
    texts = {
        "meta-data": json.dumps({"instance-id": seed.instance, "local-hostname": seed.hostname}, indent=1),
        "network-config": json.dumps(_network(seed), indent=1),
        "user-data": "#cloud-config\n" + json.dumps(_configuration(seed), indent=1),
        "devbox/attach": _ATTACH,
        "devbox/seed": FIND,
        "devbox/unit": _UNIT,
        "devbox/user": "".join(f"{name}={shlex.quote(str(value))}\n" for name, value in known.items()),
        "devbox/boot/identity": seed.identity,
        "devbox/boot/environment": pairs,
        "devbox/boot/hostname": seed.hostname,
    }
    files = {name: text.encode("utf-8", "surrogateescape") for name, text in texts.items()}
    return image(LABEL, {**files, "devbox/agent": seed.program})


def _network(seed: Seed) -> dict[str, object]:
    """Return the network as cloud-init has it. No DHCP: a machine that goes on later would ask nobody again.

    There is no IPv6, and whoever looks for a router of that waits for half a minute, which cloud-init waits for.
    """
    wire = {
        "accept-ra": False,
        "link-local": [],
        "match": {"macaddress": seed.mac},
        "addresses": [ADDRESS],
        "routes": [{"to": "0.0.0.0/0", "via": GATEWAY}],
        "nameservers": {"addresses": [NAME_SERVER]},
    }
    if not seed.private:
        return {"version": 2, "ethernets": {"devbox": wire}}
    match = {"macaddress": private_mac(seed.private)}
    among = {"accept-ra": False, "link-local": [], "match": match, "addresses": [seed.private], "optional": True}
    return {"version": 2, "ethernets": {"devbox": wire, "private": among}}


def _configuration(seed: Seed) -> dict[str, object]:
    """Return what cloud-init is to do. JSON is YAML as well, so nothing has to be written by hand."""
    user, keys = seed.user, seed.keys
    account: dict[str, object] = {"name": user.name, "ssh_authorized_keys": [keys.public], "lock_passwd": True}
    if not user.is_root:
        account |= {"sudo": "ALL=(ALL) NOPASSWD:ALL", "shell": "/bin/bash", "homedir": user.home, "uid": user.uid}
    return {
        "bootcmd": [["/bin/sh", "-c", FIND, "devbox"]],
        "users": [account],
        "disable_root": not user.is_root,
        "ssh_pwauth": False,
        "ssh_deletekeys": True,
        "ssh_keys": {"ed25519_private": keys.host + "\n", "ed25519_public": keys.host_public},
        "manage_etc_hosts": "localhost",
        "package_update": False,
    }
