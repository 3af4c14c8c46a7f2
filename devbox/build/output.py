"""A container's output as lines, with every secret masked before anybody sees it."""

import codecs
from collections.abc import Collection, Iterator

_LONGEST = 64 * 1024  # characters; a line without end is passed on in pieces
_MASK = "***"
_SHORTEST_SECRET = 4  # a secret of three characters would mask half of every log


class Lines:
    """Cuts the bytes of several streams into lines. Carriage returns end a line as well: progress bars use them."""

    def __init__(self, secrets: Collection[str] = ()) -> None:
        parts = {line.strip() for secret in secrets for line in secret.splitlines()}
        self._secrets = sorted((part for part in parts if len(part) >= _SHORTEST_SECRET), key=len, reverse=True)
        self._keep = max(map(len, self._secrets), default=1) - 1
        self._decoders: dict[int, codecs.IncrementalDecoder] = {}
        self._rest: dict[int, str] = {}

    def feed(self, kind: int, data: bytes) -> Iterator[str]:
        """Yield the lines that `data` of stream `kind` completes."""
        decoder = self._decoders.setdefault(kind, codecs.getincrementaldecoder("utf-8")("replace"))
        text = self._rest.get(kind, "") + decoder.decode(data)
        *complete, rest = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        if text.endswith("\r"):  # its line feed may still come
            rest = complete.pop() + "\r"
        for line in complete:
            yield self.mask(line)
        if len(rest) > _LONGEST:
            masked = self.mask(rest)
            cut = len(masked) - self._keep  # a secret may stand across the cut
            yield masked[:cut]
            rest = masked[cut:]
        self._rest[kind] = rest

    def finish(self) -> Iterator[tuple[int, str]]:
        """Yield what is left of lines without an end, each with its stream's number."""
        for kind, rest in self._rest.items():
            if rest.strip("\r"):
                yield kind, self.mask(rest.rstrip("\r"))
        self._rest.clear()

    def mask(self, text: str) -> str:
        """Return `text` with every secret replaced."""
        for secret in self._secrets:
            text = text.replace(secret, _MASK)
        return text
