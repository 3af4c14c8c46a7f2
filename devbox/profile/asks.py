"""Which values of a profile reach the host, once links are resolved; `trust` asks whether the user agreed."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from devbox.errors import Problem, ProfileError
from devbox.profile.confine import is_inside, real
from devbox.profile.forbidden import why_forbidden
from devbox.profile.linemap import child
from devbox.profile.load import Loaded, Origin
from devbox.profile.source import Refused, read_file
from devbox.values import printable


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustItem:
    """One thing that needs the user's agreement. `kind`, `name` and `value` are what is agreed to.

    `name`: the key without list positions, so that a line moved up or down asks nothing. `value`: what it
    comes to once links are resolved. `path`: the real host path in it, if there is one.
    """

    kind: str  # host-path | socket | host-file | variable | device | gpus | lan | dockerfile | disk | file
    name: str  # "mounts /data", "env.from_host AWS_PROFILE"
    value: str
    key: str
    path: str | None = None
    file: str | None = None
    line: int | None = None

    @property
    def sentence(self) -> str:
        """What it is, for a person, in one line."""
        return printable(f"{self.name}: {_SENTENCES[self.kind]} {self.value}".rstrip())


_SENTENCES: Mapping[str, str] = {
    "host-path": "the environment gets the host's",
    "socket": "the environment talks to the socket",
    "host-file": "the environment gets the content of",
    "variable": "the environment gets the host's variable",
    "device": "the environment gets the device",
    "gpus": "the environment gets the graphics processors:",
    "lan": "everybody on this machine's networks reaches port",
    "dockerfile": "the base is built by",
    "disk": "the machine starts from the disk",
    "file": "the environment may change here what matches",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Grants:
    """What trusted items allow, in values that a runtime can be given. Paths are real paths."""

    host_paths: frozenset[str] = frozenset()
    devices: frozenset[str] = frozenset()
    gpus: bool = False
    addresses: frozenset[str] = frozenset()


def requests(loaded: Loaded, directory: Path, *, environ: Mapping[str, str] | None = None) -> tuple[TrustItem, ...]:
    """Return all that the profile of `directory` asks of the host; reads a Dockerfile, follows links, runs nothing.

    Raises `ProfileError` with every value that is never allowed, trusted or not. `environ` says where the
    engine's socket is; default: this process's own.
    """
    asked = _Asked(loaded, directory.resolve(), os.environ if environ is None else environ)
    items = tuple(asked.items())
    if asked.problems:
        count = "one thing" if len(asked.problems) == 1 else f"{len(asked.problems)} things"
        raise ProfileError(f"the profile asks for {count} that no environment gets", problems=asked.problems)
    return items


def all_requests(loaded: Loaded, directory: Path, *, environ: Mapping[str, str]) -> tuple[TrustItem, ...]:
    """Return what the whole project asks of the host, each thing once: its profile, and every machine that it has.

    That is what the user agrees to; what one of them gets is what `requests` says of it. Raises as that does.
    """
    found: dict[tuple[str, str, str], TrustItem] = {}
    for one in (*(() if loaded.machine else (loaded,)), *loaded.members.values()):
        for item in requests(one, directory, environ=environ):
            found.setdefault((item.kind, item.name, item.value), item)
    return tuple(found.values())


def digest(items: Sequence[TrustItem]) -> str:
    """Return the SHA-256 (64 hex) of what `items` ask for, in whatever order."""
    values = sorted([item.kind, item.name, item.value] for item in items)
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()


def granted(items: Sequence[TrustItem]) -> Grants:
    """Return what `items` allow, once they are trusted."""
    mounted = ("host-path", "socket")
    return Grants(
        host_paths=frozenset(item.path for item in items if item.kind in mounted and item.path is not None),
        devices=frozenset(item.value for item in items if item.kind == "device"),
        gpus=any(item.kind == "gpus" for item in items),
        addresses=frozenset({"0.0.0.0"} if any(item.kind == "lan" for item in items) else ()),
    )


class _Asked:
    """Gathers the items of one profile, and what is refused on the way."""

    def __init__(self, loaded: Loaded, project: Path, environ: Mapping[str, str]) -> None:
        self.problems: list[Problem] = []
        self._profile = loaded.profile
        self._origins = loaded.origins
        self._project = project
        self._environ = environ

    def items(self) -> Iterator[TrustItem]:
        """Yield every item."""
        yield from self._mounts()
        yield from self._variables_and_secrets()
        yield from self._hardware()
        yield from self._ports()
        yield from self._base()
        yield from self._certificates()
        yield from self._files()

    def _mounts(self) -> Iterator[TrustItem]:
        for index, mount in enumerate(self._profile.mounts):
            key = f"mounts[{index}].source"
            path = self._resolve(key, mount.source)
            if path is None or is_inside(self._project, path):
                continue
            kind = "socket" if path.is_socket() else "host-path"
            value = f"{path} (read-only)" if mount.read_only else str(path)
            yield self._item(kind, f"mounts {mount.target}", value, key, path)

    def _variables_and_secrets(self) -> Iterator[TrustItem]:
        for index, name in enumerate(self._profile.env.from_host):
            yield self._item("variable", f"env.from_host {name}", name, f"env.from_host[{index}]")
        for name, secret in self._profile.secrets.items():
            key = child("secrets", name)
            if secret.env is not None:
                yield self._item("variable", key, secret.env, f"{key}.env")
            elif secret.file is not None:
                path = self._resolve(f"{key}.file", secret.file)
                if path is not None and not is_inside(self._project, path):
                    yield self._item("host-file", key, str(path), f"{key}.file", path)

    def _hardware(self) -> Iterator[TrustItem]:
        resources = self._profile.resources
        for index, device in enumerate(resources.devices):
            yield self._item("device", f"resources.devices {device}", device, f"resources.devices[{index}]")
        if resources.gpus is not None:
            yield self._item("gpus", "resources.gpus", resources.gpus, "resources.gpus")

    def _ports(self) -> Iterator[TrustItem]:
        for name, port in self._profile.ports.items():
            if port.expose == "lan":
                host = port.guest if port.host is None else port.host
                key = child("ports", name)
                yield self._item("lan", key, f"{host}/{port.protocol} (inside {port.guest})", f"{key}.expose")

    def _base(self) -> Iterator[TrustItem]:
        base = self._profile.base
        if base.dockerfile is not None:
            content = self._content("base.dockerfile", base.dockerfile)
            if content is not None:
                stage = f" target {base.target}" if base.target else ""
                value = f"{base.dockerfile}{stage} (sha256 {hashlib.sha256(content).hexdigest()})"
                yield self._item("dockerfile", "base.dockerfile", value, "base.dockerfile")
        if base.disk is not None:
            path = base.disk if "://" in base.disk else self._resolve("base.disk", base.disk)
            if path is not None:
                yield self._item("disk", "base.disk", f"{path} (sha256 {base.sha256 or 'unknown'})", "base.disk")

    def _certificates(self) -> Iterator[TrustItem]:
        bundle = self._profile.network.ca_bundle
        key = "network.ca_bundle"
        if bundle in ("host", "none") or self._origin(key).source in ("user", "DEVBOX_CA_BUNDLE", "flag"):
            return
        path = self._resolve(key, bundle, system=True)
        if path is not None and not is_inside(self._project, path):
            yield self._item("host-path", key, str(path), key, path)

    def _files(self) -> Iterator[TrustItem]:
        for index, pattern in enumerate(self._profile.sync.allow):
            yield self._item("file", f"sync.allow {pattern}", pattern, f"sync.allow[{index}]")

    def _resolve(self, key: str, written: str, *, system: bool = False) -> Path | None:
        """Return the real path, or None and a problem if no environment gets it. `system`: /etc is fine."""
        try:
            path = real(self._project, written)
        except ValueError as error:
            self._refuse(key, f'"{printable(written)}" {error}')
            return None
        why = None if is_inside(self._project, path) else why_forbidden(path, self._environ)
        if why is None or (system and path.is_relative_to("/etc") and path.suffix in (".pem", ".crt")):
            return path
        leads = "" if str(path) == written else f" leads to {printable(str(path))}, which"
        self._refuse(key, f'"{printable(written)}"{leads} {why}')
        return None

    def _content(self, key: str, written: str) -> bytes | None:
        try:
            return read_file(real(self._project, written), shown=written)
        except (Refused, ValueError) as error:
            self._refuse(key, f'"{printable(written)}" {error}', hint="write the path of a file in the project")
            return None

    def _item(self, kind: str, name: str, value: str, key: str, path: Path | None = None) -> TrustItem:
        origin = self._origin(key)
        real_path = None if path is None else str(path)
        return TrustItem(
            kind=kind, name=name, value=value, key=origin.key or key, path=real_path, file=origin.file, line=origin.line
        )

    def _refuse(self, key: str, message: str, *, hint: str = "mount the one directory that is needed") -> None:
        origin = self._origin(key)
        self.problems.append(
            Problem(message=message, key=printable(origin.key or key), file=origin.file, line=origin.line, hint=hint)
        )

    def _origin(self, key: str) -> Origin:
        return self._origins.get(key, Origin(value=None, source="built-in"))
