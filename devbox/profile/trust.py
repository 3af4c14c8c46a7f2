"""Trust: what the user agreed to for one project directory, kept per user and never read from the project.

The file (JSON, 0600 in a 0700 directory) is named by the digest of the directory's real path, so a project
that is moved is not trusted. It holds the last word, trust or its revocation.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from devbox import paths
from devbox.errors import Problem, StateError, TrustRequiredError
from devbox.faults import fault
from devbox.profile.asks import Grants, TrustItem, digest, granted, requests
from devbox.profile.source import may_own
from devbox.reporter import Reporter, SilentReporter
from devbox.values import printable

__all__ = ["Grants", "TrustItem", "TrustStore", "digest", "granted", "requests"]

SCHEMA: Final = 1
_SIZE_MAX: Final = 10_000_000


class TrustStore:
    """The trust record of one project directory."""

    def __init__(self, directory: Path, *, reporter: Reporter | None = None) -> None:
        self._directory = str(directory.resolve())
        name = hashlib.sha256(self._directory.encode("utf-8", "surrogateescape")).hexdigest()
        self._path = Path(paths.trust_file(name))
        self._reporter = reporter or SilentReporter()

    @property
    def path(self) -> str:
        """The file of what was agreed to; it need not exist."""
        return str(self._path)

    def trusts(self, items: Sequence[TrustItem]) -> bool:
        """Whether the user agreed to exactly `items`; to nothing, nobody has to agree."""
        record = self._read() if items else {}
        return not items or record.get("digest") == digest(items)

    def require(self, items: Sequence[TrustItem]) -> None:
        """Raise `TrustRequiredError` naming all `items` unless the user agreed to exactly these."""
        if self.trusts(items):
            return
        known = self._trusted()
        problems = [
            Problem(
                message=_without_name(item) + ("" if _key(item) in known else " (not agreed to)"),
                key=printable(item.key),
                file=item.file,
                line=item.line,
            )
            for item in items
        ]
        changed = "has changed what it asks of this machine" if known else "asks for something of this machine"
        raise TrustRequiredError(
            f"the profile {changed}, and nobody has agreed to it",
            problems=problems,
            hint="look at the list, then agree to it: devbox trust",
        )

    def difference(self, items: Sequence[TrustItem]) -> list[str]:
        """Return the lines of a diff from what was agreed to, to `items`: "+ ...", "- ...", "  ..."."""
        known = self._trusted()
        asked = {_key(item): item.sentence for item in items}
        gone = [f"- {sentence}" for key, sentence in known.items() if key not in asked]
        return gone + [f"{' ' if key in known else '+'} {sentence}" for key, sentence in asked.items()]

    def grant(self, items: Sequence[TrustItem]) -> None:
        """Record that the user agrees to exactly `items`; takes the place of whatever was said before."""
        entries = [{"kind": item.kind, "name": item.name, "value": item.value, "text": item.sentence} for item in items]
        self._write({"decision": "trusted", "digest": digest(items), "items": entries})

    def revoke(self) -> bool:
        """Record that the user trusts this directory no more; return whether it was trusted."""
        was = self._read().get("decision") == "trusted"
        if was:
            self._write({"decision": "revoked", "digest": "", "items": []})
        return was

    def _trusted(self) -> dict[tuple[str, str, str], str]:
        """Return what was agreed to, with its sentence."""
        entries = self._read().get("items", [])
        assert isinstance(entries, list)
        return {(entry["kind"], entry["name"], entry["value"]): entry["text"] for entry in entries}

    def _read(self) -> Mapping[str, object]:
        """Return the record; empty if there is none, or none that can be used, which is then set aside."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise self._unusable(f"cannot be read: {(error.strerror or str(error)).lower()}") from error
        with os.fdopen(descriptor, "rb") as file:
            if not may_own(os.fstat(descriptor).st_uid, user=os.geteuid()):
                raise self._unusable("belongs to another user")
            content = file.read(_SIZE_MAX)
        record = _parsed(content)
        if record is None:
            self._set_aside()
            return {}
        schema = record.get("schema")
        if isinstance(schema, int) and schema > SCHEMA:
            raise self._unusable(f"was written by a newer devbox (schema {schema}, this one knows {SCHEMA})")
        if record.get("directory") != self._directory or not _is_complete(record):
            self._set_aside()
            return {}
        return record

    def _set_aside(self) -> None:
        number = 1
        while os.path.lexists(f"{self._path}.corrupt-{number}"):
            number += 1
        fault("set aside trust record")
        try:
            self._path.rename(f"{self._path}.corrupt-{number}")
        except OSError as error:
            raise self._unusable(f"is damaged and cannot be set aside: {error.strerror}") from error
        fault("trust record set aside")
        self._reporter.warn(
            f"the trust record {self._path} was damaged; set aside as {self._path.name}.corrupt-{number}, "
            "so this project is not trusted"
        )

    def _write(self, record: Mapping[str, object]) -> None:
        self._read()  # a newer record is not overwritten, a damaged one is kept
        values = {"schema": SCHEMA, "directory": self._directory, **record}
        content = (json.dumps(values, indent=2) + "\n").encode()
        try:
            paths.private_directory(str(self._path.parent))
            with _locked(self._path.parent) as directory:
                _replace(self._path, content)
                os.fsync(directory)
            fault("trust record written")
        except OSError as error:
            raise self._unusable(f"cannot be written: {(error.strerror or str(error)).lower()}") from error

    def _unusable(self, what: str) -> StateError:
        return StateError(f"the trust record {self._path} {what}", hint=f"look at it, then remove it: rm {self._path}")


def _parsed(content: bytes) -> dict[str, object] | None:
    try:
        record = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _is_complete(record: Mapping[str, object]) -> bool:
    items = record.get("items")
    if record.get("schema") != SCHEMA or record.get("decision") not in ("trusted", "revoked"):
        return False
    if not isinstance(record.get("digest"), str) or not isinstance(items, list):
        return False
    fields = ("kind", "name", "value", "text")
    return all(isinstance(entry, dict) and all(isinstance(entry.get(key), str) for key in fields) for entry in items)


@contextmanager
def _locked(directory: Path) -> Iterator[int]:
    """Hold off every other writer in `directory`; yields its descriptor."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _replace(path: Path, content: bytes) -> None:
    """Give `path` this content, whole or not at all; the directory is locked."""
    temporary = path.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)  # left by a process that was killed
    fault("write trust record")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        fault("rename trust record")
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def _key(item: TrustItem) -> tuple[str, str, str]:
    return item.kind, item.name, item.value


def _without_name(item: TrustItem) -> str:
    return item.sentence.partition(": ")[2]
