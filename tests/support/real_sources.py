"""Real projects from the registries: what tests/real/projects.toml pins, as a directory that looks like a clone.

Each archive is had from its ecosystem's own client, which knows its registry. It is kept in the user's cache by its
hash, and opened when the hash is the pinned one: files and directories alone, nothing outside of the given place.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

from tests.support.tree import ROOT

PINS = ROOT / "tests" / "real" / "projects.toml"
# As they were when the tests were started: a client's settings name a mirror, and each test has another home.
_ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("DEVBOX_")}
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "devbox-tests" / "sources"
_MOST = 64 * 1024 * 1024  # bytes that an archive may hold
_PATIENCE = 300.0  # seconds until a client has given up
_GIT = ("git", "-c", "user.name=devbox", "-c", "user.email=devbox@localhost", "-c", "init.defaultBranch=main")


@dataclass(frozen=True, kw_only=True)
class Source:
    """One pinned project; projects.toml says what its keys mean."""

    name: str
    ecosystem: str
    package: str
    version: str
    sha256: str
    directory: str
    language: str
    command: tuple[str, ...]
    count: str
    tests: int
    quick: bool = False

    def ran(self, output: str) -> int:
        """Return how many tests ran and passed, by what they printed."""
        found = re.findall(self.count, output)
        return sum(map(int, found)) if re.compile(self.count).groups else len(found)


def pinned() -> tuple[Source, ...]:
    """Return all projects, in the order of the file."""
    table = tomllib.loads(PINS.read_text(encoding="utf-8"))
    return tuple(Source(name=name, **{**keys, "command": tuple(keys["command"])}) for name, keys in table.items())


def clone(source: Source, place: Path) -> Path:
    """Put `source` into `place`, which must not exist, as somebody has it who has just cloned it."""
    unpack(archive(source), source.directory, place)
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-q", "-m", f"{source.package} {source.version}")):
        subprocess.run([*_GIT, *words], cwd=place, env=_ENVIRONMENT, check=True, capture_output=True)
    return place


def archive(source: Source) -> Path:
    """Return the archive of `source`, from the cache or its registry; fails the test if it is not the pinned one."""
    kept = _CACHE / source.sha256
    if not (kept.is_file() and _hash(kept) == source.sha256):
        with tempfile.TemporaryDirectory(prefix="devbox-source-") as name:
            got = _CLIENTS[source.ecosystem](source, Path(name))
            if (found := _hash(got)) != source.sha256:
                pytest.fail(f"{source.package} {source.version} has sha256 {found}, and not {source.sha256}")
            _keep(got, kept)
    return kept


def unpack(packed: Path, directory: str, place: Path) -> None:
    """Write the files that `packed` has below `directory` into `place`; `ValueError` for any other kind of entry."""
    root = PurePosixPath(directory)
    held = 0
    place.mkdir(parents=True)
    for name, runs, size, read in _files(packed):
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(f"{name!r} leads out of the archive")
        held += size
        if held > _MOST:
            raise ValueError(f"the archive holds more than {_MOST} bytes")
        if not path.is_relative_to(root) or ".git" in path.parts:
            continue
        target = place / path.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(read())
        target.chmod(0o755 if runs else 0o644)


Entry = tuple[str, bool, int, Callable[[], bytes]]


def _files(packed: Path) -> Iterator[Entry]:
    """Yield the name, whether it is a program, the size and the reader of each file."""
    yield from _in_zip(packed) if zipfile.is_zipfile(packed) else _in_tar(packed)


def _in_zip(packed: Path) -> Iterator[Entry]:
    with zipfile.ZipFile(packed) as opened:
        for entry in opened.infolist():
            mode = entry.external_attr >> 16
            if mode & 0o170000 not in (0, 0o100000, 0o040000):
                raise ValueError(f"{entry.filename!r} is neither a file nor a directory")
            if not entry.is_dir():
                yield entry.filename, bool(mode & 0o100), entry.file_size, lambda entry=entry: opened.read(entry)


def _in_tar(packed: Path) -> Iterator[Entry]:
    with tarfile.open(packed) as opened:
        for entry in opened:
            if entry.isfile():
                yield entry.name, bool(entry.mode & 0o100), entry.size, lambda entry=entry: _content(opened, entry)
            elif not entry.isdir():
                raise ValueError(f"{entry.name!r} is neither a file nor a directory")


def _content(opened: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    file = opened.extractfile(entry)
    assert file is not None
    return file.read()


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _keep(got: Path, kept: Path) -> None:
    """Move `got` to `kept` at once: several test processes may fetch the same."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    whole = kept.with_suffix(f".{os.getpid()}")
    shutil.copyfile(got, whole)
    whole.replace(kept)


def _run(source: Source, *argv: str, cwd: Path, env: dict[str, str] | None = None) -> str:
    """Run a client and return its stdout; skips the test where the client is missing."""
    if not shutil.which(argv[0], path=_ENVIRONMENT.get("PATH")):
        pytest.skip(f"{argv[0]} is missing, which gets {source.package} from its registry")
    environment = {**_ENVIRONMENT, **(env or {})}
    done = subprocess.run(
        argv, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_PATIENCE
    )
    if done.returncode != 0:
        pytest.fail(f"{' '.join(argv)}: exit code {done.returncode}\n{done.stdout[-1000:]}\n{done.stderr[-2000:]}")
    return done.stdout


def _one(place: Path, pattern: str) -> Path:
    found = sorted(place.glob(pattern))
    assert len(found) == 1, f"{pattern}: {found}"
    return found[0]


def _from_pypi(source: Source, place: Path) -> Path:
    """pip asks the package's build for its name and version, and looks at the hash before."""
    pin = f"{source.package}=={source.version} --hash=sha256:{source.sha256}\n"
    (place / "pins.txt").write_text(pin, encoding="utf-8")
    words = ("download", "-q", "--no-deps", "--no-binary", source.package, "--require-hashes", "-r", "pins.txt")
    _run(source, sys.executable, "-m", "pip", "--disable-pip-version-check", *words, "-d", "got", cwd=place)
    return _one(place, "got/*")


def _from_npm(source: Source, place: Path) -> Path:
    _run(source, "npm", "pack", "--silent", "--ignore-scripts", f"{source.package}@{source.version}", cwd=place)
    return _one(place, "*.tgz")


def _from_go(source: Source, place: Path) -> Path:
    own = {"GOMODCACHE": str(place / "cache"), "GOFLAGS": "-modcacherw", "GO111MODULE": "on"}
    said = _run(source, "go", "mod", "download", "-json", f"{source.package}@{source.version}", cwd=place, env=own)
    return Path(json.loads(said)["Zip"])


def _from_crates(source: Source, place: Path) -> Path:
    """Let cargo fetch it for a package that needs it; cargo keeps the archives of what it fetched."""
    pin = f'"{source.package}" = "={source.version}"'
    manifest = f'[package]\nname = "wants"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\n{pin}\n'
    (place / "src").mkdir()
    (place / "src" / "lib.rs").touch()
    (place / "Cargo.toml").write_text(manifest, encoding="utf-8")
    _run(source, "cargo", "fetch", "-q", cwd=place)
    cargo = Path(_ENVIRONMENT.get("CARGO_HOME") or Path(_ENVIRONMENT.get("HOME", "~")).expanduser() / ".cargo")
    return sorted(cargo.glob(f"registry/cache/*/{source.package}-{source.version}.crate"))[0]


def _from_maven(source: Source, place: Path) -> Path:
    artifact = f"-Dartifact={source.package}:{source.version}:zip:source-release"
    own = ("-Dtransitive=false", f"-Dmaven.repo.local={place / 'repository'}")
    _run(source, "mvn", "-B", "-q", "dependency:get", artifact, *own, cwd=place)
    return _one(place, f"repository/**/*-{source.version}-source-release.zip")


_CLIENTS: dict[str, Callable[[Source, Path], Path]] = {
    "pypi": _from_pypi,
    "npm": _from_npm,
    "go": _from_go,
    "crates": _from_crates,
    "maven": _from_maven,
}
