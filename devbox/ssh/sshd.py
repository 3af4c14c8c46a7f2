"""A real sshd inside, for one connection: its command, and what that reads before the client's first byte. Pure.

Nothing listens. The keys come over the agent with each connection, into memory alone (/run), so that none is in an
image, on a disk or among the words of a command.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

PACKAGE: Final = "openssh-server"
MISSING: Final = 127  # the exit code where there is no sshd
_PLACE: Final = "/run/devbox-sshd"
# `head -c` takes what it is to have and not a byte more: all that follows is for sshd. What devbox and the image set
# for every process goes into the settings, since sshd lets none of it through; a line break in it becomes a space.
_SCRIPT: Final = f"""
set -eu
umask 077
[ -x /usr/sbin/sshd ] || exit {MISSING}
mkdir -p {_PLACE} /run/sshd
chmod 755 {_PLACE} /run/sshd
new={_PLACE}/.$$
head -c "$1" > $new.host_key
head -c "$2" > $new.keys
head -c "$3" > $new.settings
cat /proc/$$/environ | tr '\\n\\0' ' \\n' | sed -E '/^(HOME|USER|LOGNAME|SHELL|PWD|SHLVL|OLDPWD|_)=/d
  s/[\\\\"]/\\\\&/g; s/.*/"&"/' | tr '\\n' ' ' > $new.env
if [ -s $new.env ]; then printf 'SetEnv %s\\n' "$(cat $new.env)" >> $new.settings; fi
rm $new.env
chmod 644 $new.keys
for name in host_key keys settings; do mv -f $new.$name {_PLACE}/$name; done
exec /usr/sbin/sshd -i -f {_PLACE}/settings
""".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """What the two ends prove themselves by: sshd with a private key (PEM), the client with what fits a public one."""

    host: str
    client: str


def start(keys: Keys, users: Sequence[str]) -> tuple[tuple[str, ...], bytes]:
    """Return the command, to be run as root, and what its stdin begins with; SSH follows. `users`: who may come in."""
    parts = [text.encode() for text in (keys.host, keys.client, _settings(users))]
    sizes = [str(len(part)) for part in parts]
    return ("/bin/sh", "-c", _SCRIPT, "devbox-sshd", *sizes), b"".join(parts)


def _settings(users: Sequence[str]) -> str:
    lines = (
        f"HostKey {_PLACE}/host_key",
        f"AuthorizedKeysFile {_PLACE}/keys",
        f"AllowUsers {' '.join(users)}",
        "AuthenticationMethods publickey",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "HostbasedAuthentication no",
        "PermitRootLogin prohibit-password",
        "AllowAgentForwarding no",
        "AllowTcpForwarding local",
        "PermitTunnel no",
        "X11Forwarding no",
        "UsePAM yes",
        "UseDNS no",
        "PrintMotd no",
        "AcceptEnv LANG LC_* LANGUAGE TZ COLORTERM NO_COLOR GIT_PROTOCOL",
        "Subsystem sftp internal-sftp",
    )
    return "\n".join(lines) + "\n"
