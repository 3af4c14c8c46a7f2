"""What is said on the Supervisor's control socket: a JSON object on a line, and one on a line in answer.

The first line is `{"op": "hello", "version": VERSION, "build": ...}`. `{"op": "quit"}` needs no hello and means the
same in every version: end, and close this connection by doing so. So does `FLUSH` of `probe`, whose answer is one of
the lines that are named there. Requests about the SyncSession begin with `sync.`; `devbox.supervisor.syncing` has them.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, TypeVar

VERSION: Final = 2
LINE_MAX: Final = 1 << 20  # bytes of one line that is asked
ANSWER_MAX: Final = 1 << 26  # bytes of one that is answered: a list of paths may be long
LOOPBACK: Final = "127.0.0.1"
PROTOCOLS: Final = ("tcp", "udp")

TAKEN: Final = "taken"  # reasons for which a port cannot be had: somebody else has it, and all that follow
DENIED: Final = "denied"  # the system does not let this user have it
REFUSED: Final = "refused"  # the address is not of this host, or cannot be listened on


_T = TypeVar("_T", "Wanted", "Forward", "Failed")


class ControlError(Exception):
    """The other side said something that is not in this protocol."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A port that is to be relayed. `host`: the wanted port of this host, 0 for any.

    `kept`: the port that it had the last time, which is tried first; 0: none. `otherwise`: where to look if this
    user may not have `host`; 0: nowhere. `declared`: it stands in the profile.
    """

    name: str
    guest: int
    host: int
    protocol: str = "tcp"
    address: str = LOOPBACK
    kept: int = 0
    otherwise: int = 0
    declared: bool = True

    def given(self, host: int) -> "Forward":
        """Return it as it is relayed when it got port `host`."""
        return Forward(
            name=self.name,
            guest=self.guest,
            host=host,
            wanted=self.host,
            protocol=self.protocol,
            address=self.address,
            declared=self.declared,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """A port as it is relayed: `host` on `address` leads to `guest` inside. `wanted`: what was asked for."""

    name: str
    guest: int
    host: int
    wanted: int
    protocol: str
    address: str
    declared: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A port that could not be had, and why: one of the reasons above. `host`: the port that was tried first."""

    name: str
    host: int
    reason: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """All ports that are relayed now, and those of the request that are not."""

    ports: tuple[Forward, ...]
    failed: tuple[Failed, ...] = ()


def line(message: Mapping[str, object]) -> bytes:
    """Return `message` as it goes over the socket."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def parse(data: bytes) -> dict[str, Any]:
    """Return the message of one line; `ControlError` for anything else."""
    try:
        message = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ControlError("not JSON") from error
    if not isinstance(message, dict):
        raise ControlError("not an object")
    return message


def wanted(values: object) -> Wanted:
    """Return the `Wanted` that `values` stand for; `ControlError` unless every part of it is right."""
    found = _made(Wanted, values)
    _require_port(found.guest, least=1)
    for number in (found.host, found.kept, found.otherwise):
        _require_port(number, least=0)
    if found.protocol not in PROTOCOLS:
        raise ControlError(f"no such protocol: {found.protocol!r}")
    return found


def answer(message: Mapping[str, Any]) -> Answer:
    """Return the `Answer` in `message`; `ControlError` if there is none."""
    failed = message.get("failed")
    if not isinstance(failed, list):
        raise ControlError("an answer without what failed")
    return Answer(ports=forwards(message.get("ports")), failed=tuple(_made(Failed, item) for item in failed))


def forwards(values: object) -> tuple[Forward, ...]:
    """Return the `Forward`s that `values` stand for; `ControlError` for anything else."""
    if not isinstance(values, list):
        raise ControlError("no list of ports")
    return tuple(_made(Forward, item) for item in values)


def document(found: Answer) -> dict[str, object]:
    """Return `found` as a message."""
    return {"ok": True, "ports": list(map(asdict, found.ports)), "failed": list(map(asdict, found.failed))}


def _made(kind: type[_T], values: object) -> _T:
    """Return a `kind` of exactly the fields and types that it has; what has a default may be left out."""
    if not isinstance(values, dict):
        raise ControlError("not an object")
    types = {field.name: field.type for field in fields(kind)}
    for name, value in values.items():
        # `type`, since a bool is an int for isinstance.
        if types.get(name) is not type(value):
            raise ControlError(f"{name!r} cannot be {value!r}")
    try:
        return kind(**values)
    except TypeError as error:
        raise ControlError(str(error)) from error


def _require_port(number: int, *, least: int) -> None:
    if not least <= number <= 65535:
        raise ControlError(f"no port: {number}")
