"""Who works inside: the account, its home, the locale and what login shells get. Pure.

The account files are edited with POSIX tools, so that a base needs no useradd.
"""

import shlex
from collections.abc import Sequence

from devbox.build.recipe import RUN_DIRECTORY, BaseImage, Step
from devbox.build.steps.script import always_quoted, refuse, script
from devbox.values import GuestUser

_LOGIN = "/etc/profile.d/devbox.sh"
_DAY = 86400


def user_account(base: BaseImage, user: GuestUser, *, path: str, env: Sequence[tuple[str, str]] = ()) -> Step:
    """Return the step that makes `user`; PATH is `path` from here on, for login shells too.

    /etc/profile would take it away from these. `env`: variables that the image has from here on.
    """
    lines = [*_shell(user), *([] if user.is_root else _account(user, day=base.epoch // _DAY)), *_login(path)]
    locale = () if _has_locale(base) else (("LANG", "C.UTF-8"),)
    own = () if path == dict(base.env).get("PATH") else (("PATH", path),)
    return Step(
        name=f"user {user.name}",
        key="user",
        script=script(base.epoch, lines),
        env=(*locale, *own, *env),
        network=False,
    )


def _has_locale(base: BaseImage) -> bool:
    return any(name in ("LANG", "LC_ALL") and "utf" in value.lower() for name, value in base.env)


def _shell(user: GuestUser) -> list[str]:
    """Look for the shell's file: `command -v` may answer with a name that is built in."""
    name = shlex.quote(user.shell)
    places = [f"shell={name}", '[ -x "$shell" ] || shell='] if user.shell.startswith("/") else [
        "shell=",
        "IFS=:",
        f'for place in $PATH; do [ -n "$shell" ] || [ ! -x "$place"/{name} ] || shell=$place/{name}; done',
        "unset IFS",
    ]  # fmt: skip
    return [
        *places,
        f'[ -n "$shell" ] || {refuse(f"there is no shell {user.shell}; add its package to packages.system")}',
    ]


def _account(user: GuestUser, *, day: int) -> list[str]:
    """Whoever has the name or the uid before has to go; a group that has the gid stays as it is."""
    name, home = user.name, shlex.quote(user.home)
    by_uid = f'$1 == "{name}" || $3 == {user.uid}'
    return [
        f'replace() {{ cat > {RUN_DIRECTORY}/file; cat {RUN_DIRECTORY}/file > "$1"; }}',
        f"gone=$(awk -F: '{by_uid} {{ print $1 }}' /etc/passwd)",
        "for old in $gone; do",
        "  for file in /etc/passwd /etc/shadow; do",
        '    [ ! -f "$file" ] || sed "/^$old:/d" "$file" | replace "$file"',
        "  done",
        "done",
        "for file in /etc/group /etc/gshadow; do",
        f'  [ ! -f "$file" ] || sed "/^{name}:/d" "$file" | replace "$file"',
        "done",
        f"awk -F: '$3 == {user.gid} {{ found = 1 }} END {{ exit !found }}' /etc/group ||"
        f" echo '{name}:x:{user.gid}:' >> /etc/group",
        f'echo "{name}:x:{user.uid}:{user.gid}::{user.home}:$shell" >> /etc/passwd',
        f"[ ! -f /etc/shadow ] || echo '{name}:*:{day}:0:99999:7:::' >> /etc/shadow",
        f"mkdir -p {home}/.cache",
        f"[ ! -d /etc/skel ] || cp -R -P /etc/skel/. {home}/",
        f"chmod 0755 {home}",
        f"chown -R {user.uid}:{user.gid} {home}",
    ]


def _login(path: str) -> list[str]:
    return [
        "mkdir -p /etc/profile.d /workspaces",
        f"cat > {_LOGIN} <<'devbox-end'",
        "# Written by devbox: /etc/profile sets PATH anew, this sets the environment's again.",
        f"export PATH={always_quoted(path)}",
        "devbox-end",
        f"chmod 0644 {_LOGIN}",
    ]
