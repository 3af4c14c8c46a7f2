import struct
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbox.vm.firmware import BIOS, LOOKED_AT, UEFI, kind

SYSTEM = uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b").bytes_le
LINUX = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4").bytes_le


def disk(*, code: bytes = b"", kinds: tuple[bytes, ...] = (), old: int = 0, signature: bytes = b"\x55\xaa") -> bytes:
    """Return the beginning of a disk with boot code, partitions of a GUID table, or one of an old table."""
    first = code.ljust(446, b"\0") + bytes(4) + bytes((old,)) + bytes(59) + signature
    table = b""
    if kinds:
        head = b"EFI PART".ljust(72, b"\0") + struct.pack("<QII", 2, 128, 128)
        table = head.ljust(512, b"\0") + b"".join(one.ljust(128, b"\0") for one in kinds)
    return (first + table).ljust(LOOKED_AT, b"\0")


@pytest.mark.parametrize(
    ("head", "architecture", "expected"),
    [
        (disk(code=b"\xeb\x63"), "x86_64", BIOS),
        (disk(code=b"\xeb\x63", kinds=(LINUX, SYSTEM)), "x86_64", BIOS),
        (disk(code=b"\xeb\x63", kinds=(LINUX, SYSTEM)), "aarch64", UEFI),
        (disk(kinds=(LINUX, SYSTEM)), "x86_64", UEFI),
        (disk(old=0xEF), "x86_64", UEFI),
        (disk(kinds=(LINUX,)), "x86_64", None),
        (disk(code=b"\xeb\x63", signature=b"\0\0"), "x86_64", None),
        (disk(code=b"\xeb\x63"), "aarch64", None),
        (bytes(LOOKED_AT), "x86_64", None),
        (b"", "x86_64", None),
    ],
)
def test_bios_starts_what_it_can_and_uefi_the_rest(head: bytes, architecture: str, expected: str | None) -> None:
    assert kind(head, architecture) == expected


@given(st.binary(max_size=256), st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_a_table_that_leads_anywhere_leads_to_no_error(rest: bytes, sector: int, count: int, size: int) -> None:
    table = b"EFI PART".ljust(72, b"\0") + struct.pack("<QII", sector, count, size) + rest
    assert kind(disk()[:512] + table.ljust(1024, b"\0"), "x86_64") in (None, UEFI)
