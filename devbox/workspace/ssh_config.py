"""`ssh-config`: the entry by which plain ssh, and every editor that knows ssh, gets into the Environment."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from devbox import paths, record
from devbox.errors import StateError, UsageError
from devbox.profile.model import Profile
from devbox.ssh import user_config
from devbox.ssh.entry import (
    Entry,
    Written,
    check_alias,
    entry_file,
    has_include,
    include_line,
    parse,
    with_include,
    without_include,
)
from devbox.ssh.keys import ensure_keys, ensure_sshd_keys, known_hosts_file
from devbox.values import printable, slug
from devbox.workspace.context import Host, Workspace
from devbox.workspace.effective import load_profile
from devbox.workspace.identity import guest_user
from devbox.workspace.locate import require_usable

PROXY: Final = "ssh-proxy"  # the verb
UP: Final = "--up"  # its options
SSHD: Final = "--sshd"
_SUFFIX: Final = ".devbox"
# An editor that a desktop starts knows nothing of what a shell's start-up files set: what decides where devbox looks
# goes into the entry.
_PINNED: Final = (
    "XDG_STATE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_CACHE_HOME",
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_CONFIG",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SshEntry:
    """An entry as it is now. `included`: ~/.ssh/config leads to it, so that `ssh HOST` works."""

    host: str
    user: str
    guest_directory: str
    text: str
    file: str
    config: str  # the user's own
    include: str  # the line for it
    included: bool
    changed: bool = False


def show(
    host: Host,
    workspace: Workspace,
    *,
    command: Sequence[str],
    alias: str | None = None,
    up: bool | None = None,
) -> SshEntry:
    """Return the entry, with its keys made; nothing else is written.

    `command`: devbox itself. `alias`: the Host; default is the one that was written, else `<name>.devbox`. `up`:
    whether a connection brings the Environment up; default is as it was written, else no.
    """
    require_usable(workspace, host)
    written = _read(_file(workspace.hash))
    profile = load_profile(host, workspace).profile
    real = ensure_sshd_keys(workspace.hash, workspace.container_name) if has_sshd(profile) else None
    brought = brings_up(written.proxy) if up is None and written else bool(up)
    entry = Entry(
        host=_alias(workspace, alias, written, ".".join(filter(None, (workspace.machine, _name(workspace, profile))))),
        key_alias=workspace.container_name,
        user=guest_user(host, workspace, host.engine.info, profile.user).name,
        proxy=_proxy(host, workspace, command, {UP: brought, SSHD: real is not None}),
        known_hosts=str(real.known_hosts if real else known_hosts_file(workspace.hash)),
        identity=str(real.identity) if real else None,
    )
    try:
        text = entry_file(entry, str(workspace.directory))
    except ValueError as error:
        raise UsageError(
            f"there can be no entry for {printable(str(workspace.directory))}: it {error}", hint="rename the directory"
        ) from error
    ensure_keys(workspace.hash, entry.key_alias)
    in_place = _text(_file(workspace.hash)) == text
    return SshEntry(
        host=entry.host,
        user=entry.user,
        guest_directory=profile.user.workdir or workspace.guest_directory,
        text=text,
        file=str(_file(workspace.hash)),
        config=str(user_config.path()),
        include=include_line(user_config.pattern()),
        included=in_place and has_include(user_config.read(), user_config.pattern()),
    )


def write(host: Host, workspace: Workspace, entry: SshEntry) -> SshEntry:
    """Keep the entry in a file of devbox's own, and have ~/.ssh/config include it. Nothing else there is touched."""
    if entry.included:
        return entry
    for path, other in _others(workspace):
        if other.host == entry.host:  # its project is gone, or it would not have been chosen
            path.unlink(missing_ok=True)
    try:
        record.write_text(entry.file, entry.text)
    except OSError as error:
        raise StateError(f"{entry.file} cannot be written: {(error.strerror or str(error)).lower()}") from error
    before = user_config.read()
    after = with_include(before, user_config.pattern())
    if after != before:
        user_config.write(after)
        host.reporter.note(f"added to {entry.config}: {entry.include}")
    return replace(entry, included=True, changed=True)


def remove(workspace: Workspace) -> bool:
    """Take the entry away, and with the last one the Include; return whether there was anything."""
    file = _file(workspace.hash)
    existed = file.exists()
    file.unlink(missing_ok=True)
    if user_config.entry_files():
        return existed
    before = user_config.read()
    after = without_include(before, user_config.pattern())
    if after != before:
        user_config.write(after)
    return existed or after != before


def own_command(argv0: str, executable: str) -> tuple[str, ...]:
    """Return the command that is this very devbox, from any directory.

    -P, since `-m` would otherwise take a directory named devbox in whatever directory ssh is started in.
    """
    path = Path(os.path.abspath(argv0))  # noqa: PTH100 (a link, as pipx makes, is kept: it outlives an upgrade)
    if path.name == "devbox" and path.is_file() and os.access(path, os.X_OK):
        return (str(path),)
    return (executable, "-P", "-m", "devbox")


def _alias(workspace: Workspace, wanted: str | None, written: Written | None, name: str) -> str:
    taken = {other.host for _, other in _others(workspace) if Path(other.directory).is_dir()}
    if wanted is not None:
        try:
            check_alias(wanted)
        except ValueError as error:
            raise UsageError(f"{printable(wanted)} is {error}", hint="devbox ssh-config --host NAME") from error
        if wanted in taken:
            raise UsageError(
                f"another project's entry is called {wanted}", hint="choose another name: devbox ssh-config --host NAME"
            )
        return wanted
    if written and written.host and written.host not in taken:
        return written.host
    short = f"{name}{_SUFFIX}"
    return f"{name}-{workspace.hash}{_SUFFIX}" if short in taken else short


def _name(workspace: Workspace, profile: Profile) -> str:
    return profile.name or slug(workspace.name)


def brings_up(proxy: str) -> bool:
    """Whether an entry's ProxyCommand brings the Environment up. A directory, which comes last, may be called that."""
    return proxy.partition(f" {PROXY} ")[2].startswith(f"{UP} ")


def has_sshd(profile: Profile) -> bool:
    """Whether a real sshd is inside, which an entry leads to then."""
    return profile.runtime == "vm" and profile.vm.sshd


def _proxy(host: Host, workspace: Workspace, command: Sequence[str], options: Mapping[str, bool]) -> tuple[str, ...]:
    pinned = [f"{name}={host.environ[name]}" for name in _PINNED if host.environ.get(name)]
    before = ("env", *pinned) if pinned else ()
    which = ("-m", workspace.machine) if workspace.machine else ()
    said = (*(one for one, on in options.items() if on), *which)
    return (*before, *command, PROXY, *said, "--", str(workspace.directory))


def _file(path_hash: str) -> Path:
    return Path(paths.ssh_directory(path_hash)) / user_config.ENTRY


def _text(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return None


def _read(file: Path) -> Written | None:
    text = _text(file)
    return parse(text) if text is not None else None


def _others(workspace: Workspace) -> Iterator[tuple[Path, Written]]:
    """Yield the entries of the user's other projects."""
    for file in user_config.entry_files():
        found = _read(file)
        if found and file != _file(workspace.hash):
            yield file, found
