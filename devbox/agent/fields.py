"""The fields of a message, taken out of bytes that are untrusted. Pure, and hot: used through `wire`."""

Buffer = bytes | bytearray | memoryview


class WireError(Exception):
    """The other side does not keep to the protocol."""


class Fields:
    """Takes a payload apart, field by field; one that is too short, or too long at `end`, is a `WireError`."""

    __slots__ = ("_at", "_view")

    def __init__(self, payload: Buffer) -> None:
        self._view = memoryview(payload)
        self._at = 0

    def raw(self, count: int) -> bytes:
        """Take `count` bytes."""
        step = self._at + count
        if step > len(self._view):
            raise WireError("a message that is too short")
        data = bytes(self._view[self._at : step])
        self._at = step
        return data

    def u8(self) -> int:
        """Take one byte."""
        return self.raw(1)[0]

    def u16(self) -> int:
        """Take two bytes."""
        return int.from_bytes(self.raw(2), "little")

    def u32(self) -> int:
        """Take four bytes."""
        return int.from_bytes(self.raw(4), "little")

    def u64(self) -> int:
        """Take eight bytes."""
        return int.from_bytes(self.raw(8), "little")

    def text(self) -> bytes:
        """Take a `str`."""
        data = self.raw(self.u32())
        if 0 in data:
            raise WireError("a string with a NUL")
        return data

    def texts(self, most: int) -> list[bytes]:
        """Take a `list` of at most `most`."""
        return [self.text() for _ in range(self.count(most))]

    def count(self, most: int) -> int:
        """Take a count of at most `most`."""
        count = self.u32()
        if count > most:
            raise WireError(f"a list of {count}")
        return count

    def end(self) -> None:
        """Make sure that all has been taken."""
        if self._at != len(self._view):
            raise WireError("a message that is too long")


def plain(data: Buffer) -> str:
    """Return bytes of the agent as text that is fit for a terminal: printable ASCII, all else escaped."""
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}" for byte in bytes(data))
