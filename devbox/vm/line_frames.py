"""The frames of the line between a machine's host and the agent inside; the other end is `agent/src/line_frame.c`.

docs/reference/agent-protocol.md says what they mean. Lean, as all that the line's process loads: C modules alone.
"""

from _struct import Struct

RESET, OPEN, DATA, CREDIT, END, CLOSE = range(6)
HEAD = Struct("<IBBH")  # connection, kind, 0, length
DATA_MOST = 32768
WINDOW = 262144  # what each side may send of a connection before it is given more
CREDIT_MOST = 1 << 30
MAGIC = b"DEVBOXLN"
NONCE = 16
_LENGTHS = {RESET: len(MAGIC) + NONCE, OPEN: 0, CREDIT: 4, END: 0, CLOSE: 0}


class Violation(Exception):
    """What came is outside of the protocol."""


def frame(number: int, kind: int, payload: bytes | memoryview = b"") -> bytes:
    """Return one frame."""
    return HEAD.pack(number, kind, 0, len(payload)) + payload


def reset(nonce: bytes) -> bytes:
    """Return the RESET of this nonce, and the answer to it."""
    return frame(0, RESET, MAGIC + nonce)


def head(data: memoryview) -> tuple[int, int, int]:
    """Return connection, kind and length of the frame that begins in `data`; `Violation`."""
    number, kind, zero, length = HEAD.unpack_from(data)
    if zero or kind > CLOSE or length != _LENGTHS.get(kind, length) or length > DATA_MOST:
        raise Violation
    return number, kind, length
