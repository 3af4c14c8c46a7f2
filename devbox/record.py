r"""The Record: what `up` last made of a Workspace. A cache, never the truth; the engine's labels are that.

Format: UTF-8 lines `key=value` in the order of `FIELDS`, the first `schema=1`, the last `complete=1`; in a value
a backslash is `\\`, a line feed `\n`. Hot: the standard library alone, and of that `os` alone.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

SCHEMA = "1"
# What the hot path goes by; all empty if it may not be taken. Lists are packed (see `pack`).
HOT_FIELDS = (
    "boot",  # of the agent that `up` spoke to, 32 hex: as long as that one answers, its container is as `up` left it
    "socket",  # where it listens
    "around",  # digest of what decides and is no file (see devbox.hot.inputs)
    "files",  # list of path, state, path, state ...: what every verb depends on
    "inputs",  # the same of what `up` and `shell` depend on beyond that
    "plan",  # "1" if unchanged inputs mean that `up` has nothing to do
    "name",  # of the Instance
    "title",  # of the profile
    "runtime",  # that it runs on
    "user",  # "uid:gid" inside
    "env",  # list of "K=V" that each process of that user gets
    "from_host",  # list of variables that the host's value is taken of
    "login",  # list: the command of an interactive shell
    "command",  # list: what comes before a command that runs in a login environment
    "guest",  # where the project is inside
    "workdir",  # where a process starts, if not there
    "sync",  # "1" if the project is a copy inside, whose both sides have to be equal when a command starts and ends
    "machines",  # list of the others that the project has, for that of the profile itself: `up` and `status` go to all
    "ports",  # list of name, host, port there, port inside, protocol, name ...
)
FIELDS = (
    "project",
    "engine",
    "instance",
    "image",
    "spec",  # digest by which the Instance's agent knows itself
    "adopted",  # digest of another spec that the Instance was brought to, and the id of its image, with a space between
    "behind",  # digest of a Lock that it was brought to as well, whose image is still to be made
    "profile",
    "lock",
    *HOT_FIELDS,
)
_LIMIT = 4 * 1024 * 1024  # characters of a record


class RecordFromTheFuture(Exception):
    """The record was written by a newer devbox; it must not be overwritten."""


def read(path: str) -> dict[str, str] | None:
    """Return the record at `path`, or None if there is none or it cannot be understood.

    Raises `RecordFromTheFuture` for a schema newer than `SCHEMA`.
    """
    try:
        with open(path, encoding="utf-8", newline="\n") as file:
            lines = file.read(_LIMIT).split("\n")
    except (OSError, UnicodeDecodeError):
        return None
    entries = dict(_unescape(line).split("=", 1) for line in lines if "=" in line)
    schema = entries.get("schema", "")
    if schema.isdigit() and int(schema) > int(SCHEMA):
        raise RecordFromTheFuture(schema)
    if schema != SCHEMA or entries.get("complete") != "1":
        return None
    return {field: entries.get(field, "") for field in FIELDS}


def write(path: str, entries: dict[str, str]) -> None:
    """Write `entries` (keys of `FIELDS`) to `path`, whole or not at all (R-03); `OSError` if it cannot be."""
    lines = ["schema=" + SCHEMA, *(_escape(f"{field}={entries.get(field, '')}") for field in FIELDS), "complete=1", ""]
    write_text(path, "\n".join(lines))


def write_text(path: str, text: str, *, durable: bool = True) -> None:
    """Write `text` to `path` with mode 0600, whole or not at all (R-03); `OSError` if it cannot be.

    `durable`: it is on the disk when this returns. Else a host that loses its power may have it empty, or not at all.
    """
    temporary = f"{path}.{os.getpid()}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        _fill(descriptor, text.encode("utf-8", "surrogateescape"), durable=durable)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    if not durable:
        return
    directory = os.open(os.path.dirname(path), os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _fill(descriptor: int, data: bytes, *, durable: bool) -> None:
    try:
        while data:
            data = data[os.write(descriptor, data) :]
        if durable:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def pack(items: "Iterable[str]") -> str:
    """Return a list of texts as one value; `unpack` gives them back. The empty list is the empty text."""
    return "".join(_escape(item) + "\n" for item in items)


def unpack(value: str) -> list[str]:
    """Return the list that was packed into `value`."""
    return [_unescape(item) for item in value.split("\n")[:-1]]


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _unescape(text: str) -> str:
    return "\\".join(part.replace("\\n", "\n") for part in text.split("\\\\"))
