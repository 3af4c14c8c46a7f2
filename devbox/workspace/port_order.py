"""What can be written behind `devbox port`. Pure."""

import re
from dataclasses import dataclass
from typing import Final

from devbox.errors import UsageError
from devbox.values import printable

_HINT: Final = "write a port inside, and this host's if it is another one: devbox port 8000, devbox port 53:5353/udp"
_ORDER: Final = re.compile(r"(?P<what>[^:/]+)(?::(?P<host>[^:/]*))?(?:/(?P<protocol>[^:/]*))?\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A port that is meant. `name`: as it was written; `guest`: None unless that is a number.

    `host` and `protocol` are None unless they were written.
    """

    name: str
    guest: int | None
    host: int | None
    protocol: str | None

    @property
    def plain(self) -> bool:
        """Whether nothing but the name was written."""
        return self.host is None and self.protocol is None


def parse(text: str) -> Order:
    """Return what `text` (`NAME[:HOST]` or `GUEST[:HOST][/PROTOCOL]`) means; `UsageError` with what to write."""
    match = _ORDER.match(text)
    if not match:
        raise UsageError(f"not a port: {printable(text)!r}", hint=_HINT)
    protocol = match["protocol"]
    if protocol not in (None, "tcp", "udp"):
        raise UsageError(f"no such protocol: {printable(protocol)!r}", hint="write /tcp or /udp")
    what, host = match["what"], match["host"]
    guest = _port(what, least=1) if _is_number(what) else None
    if host is not None and not _is_number(host):
        raise UsageError(f"not a port of this host: {printable(host)!r}", hint=_HINT)
    return Order(name=what, guest=guest, host=None if host is None else _port(host, least=0), protocol=protocol)


def _is_number(text: str) -> bool:
    return text.isascii() and text.lstrip("-+").isdigit()


def _port(text: str, *, least: int) -> int:
    number = int(text) if len(text) < 7 and text.isdigit() else -1
    if not least <= number <= 65535:
        raise UsageError(f"not a port: {text}", hint=f"a port is a number from {least} to 65535")
    return number
