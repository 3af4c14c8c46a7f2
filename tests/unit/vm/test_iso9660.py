import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbox.vm.iso9660 import image

NAMES = st.from_regex(r"[a-z][a-z0-9.-]{0,30}", fullmatch=True)
SECTOR = 2048


def files(disk: bytes, descriptor: int, encoding: str) -> dict[str, bytes]:
    """Read all files of `disk` by the tree of one of its descriptors, as somebody would who has not written it."""
    root = disk[descriptor * SECTOR + 156 :][:34]
    return dict(_below(disk, struct.unpack_from("<I", root, 2)[0], struct.unpack_from("<I", root, 10)[0], encoding, ""))


def _below(disk: bytes, sector: int, size: int, encoding: str, path: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    listing = disk[sector * SECTOR : sector * SECTOR + size]
    assert size % SECTOR == 0
    at = 0
    while at < size:
        length = listing[at]
        if not length:
            at = -(-(at + 1) // SECTOR) * SECTOR
            continue
        assert at // SECTOR == (at + length - 1) // SECTOR, "a record lies across two sectors"
        where, big = struct.unpack_from("<I", listing, at + 2)[0], struct.unpack_from(">I", listing, at + 6)[0]
        assert where == big
        many = struct.unpack_from("<I", listing, at + 10)[0]
        name = listing[at + 33 : at + 33 + listing[at + 32]]
        if name not in (b"\0", b"\x01"):
            full = f"{path}{name.decode(encoding)}"
            if listing[at + 25] & 2:
                found += _below(disk, where, many, encoding, f"{full}/")
            else:
                found.append((full, disk[where * SECTOR : where * SECTOR + many]))
        at += length
    return found


FILES = {"meta-data": b"{}", "user-data": b"#cloud-config\n" * 500, "devbox/agent": bytes(5000), "devbox/boot/a.b": b""}


def test_both_trees_have_all_files_with_all_their_bytes() -> None:
    disk = image("cidata", FILES)
    assert files(disk, 17, "utf-16-be") == FILES
    assert files(disk, 16, "ascii") == {
        "META-DATA.;1": b"{}",
        "USER-DATA.;1": FILES["user-data"],
        "DEVBOX/AGENT.;1": bytes(5000),
        "DEVBOX/BOOT/A.B;1": b"",
    }


def test_it_has_the_label_that_it_is_found_by_and_says_how_large_it_is() -> None:
    disk = image("cidata", FILES)
    assert disk[16 * SECTOR : 16 * SECTOR + 7] == b"\x01CD001\x01"
    assert disk[16 * SECTOR + 40 :][:32] == b"cidata".ljust(32)
    assert disk[17 * SECTOR + 40 :][:32] == "cidata".ljust(16).encode("utf-16-be")
    assert struct.unpack_from("<I", disk, 16 * SECTOR + 80)[0] * SECTOR == len(disk)
    assert image("cidata", dict(reversed(FILES.items()))) == disk


@given(st.dictionaries(st.tuples(NAMES, NAMES).map("/".join), st.binary(max_size=5000), max_size=60))
def test_whatever_is_in_it_comes_out_again(content: dict[str, bytes]) -> None:
    assert files(image("x", content), 17, "utf-16-be") == content


@pytest.mark.parametrize("path", ["", "/a", "a//b", "../a", "a/.", "a b", "a;1", "ä", "a" * 65, "a\n"])
def test_a_name_that_leads_elsewhere_or_that_it_cannot_have_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="such a disk"):
        image("cidata", {path: b""})


def test_what_would_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="label"):
        image("a label that is too long", {})
    with pytest.raises(ValueError, match="below a file"):
        image("cidata", {"a": b"", "a/b": b""})
    with pytest.raises(ValueError, match="more directories"):
        image("cidata", {f"{number:03}/a": b"" for number in range(200)})
