import io
import tarfile
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbox.tarstream import HEADERS_LIMIT, Kind, Member, TarReader, TarStreamError
from tests.support.tars import directory, in_pieces, link, member, tar

WORDS = {
    tarfile.REGTYPE: Kind.FILE,
    tarfile.AREGTYPE: Kind.FILE,
    tarfile.LNKTYPE: Kind.HARD_LINK,
    tarfile.SYMTYPE: Kind.LINK,
    tarfile.CHRTYPE: Kind.CHARACTER,
    tarfile.BLKTYPE: Kind.BLOCK_DEVICE,
    tarfile.DIRTYPE: Kind.DIRECTORY,
    tarfile.FIFOTYPE: Kind.PIPE,
}
FORMS = {"ustar": tarfile.USTAR_FORMAT, "GNU": tarfile.GNU_FORMAT, "PAX": tarfile.PAX_FORMAT}
LONG = "/".join(["directory"] * 20)


def read(data: bytes, piece: int = 4096) -> list[tuple[Member, bytes]]:
    reader = TarReader(in_pieces(data, piece))
    return [(found, b"".join(reader.content())) for found in reader.members()]


def fields(found: Member) -> tuple[object, ...]:
    return (found.path, found.kind, found.mode, found.uid, found.gid, found.size, found.target, found.device)


def by_the_library(data: bytes) -> list[tuple[tuple[object, ...], bytes]]:
    """Return what `tarfile` reads, in the same shape."""
    found = []
    with tarfile.open(fileobj=io.BytesIO(data), errors="surrogateescape") as opened:
        for one in opened:
            kind = WORDS[one.type]
            target = "/" + one.linkname.strip("/") if kind is Kind.HARD_LINK else one.linkname
            device = (one.devmajor, one.devminor) if kind in (Kind.CHARACTER, Kind.BLOCK_DEVICE) else (0, 0)
            file = opened.extractfile(one) if kind is Kind.FILE else None
            values = ("/" + one.name.strip("/"), kind, one.mode, one.uid, one.gid, one.size, target, device)
            found.append((values, file.read() if file else b""))
    return found


def every_kind() -> list[tarfile.TarInfo | tuple[tarfile.TarInfo, bytes]]:
    return [
        directory("etc/", uid=1, gid=2),
        (member("etc/file", mode=0o4755, uid=1000, gid=1000), b"x" * 1500),
        (member("etc/empty"), b""),
        (member("etc/ein blatt ü"), b"y" * 512),
        link("etc/link", "../usr/file"),
        link("etc/other name", "etc/file", hard=True),
        member("dev/null", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
        member("dev/sda", type=tarfile.BLKTYPE, devmajor=8, devminor=0),
        member("run/pipe", type=tarfile.FIFOTYPE),
    ]


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("piece", [1, 511, 512, 700, 10240])
def test_every_kind_of_member_is_read_as_the_standard_library_reads_it(form: int, piece: int) -> None:
    data = tar(*every_kind(), form=form)
    assert [(fields(one), content) for one, content in read(data, piece)] == by_the_library(data)


@pytest.mark.parametrize("form", ["GNU", "PAX"])
def test_long_names_long_targets_and_large_numbers(form: str) -> None:
    data = tar(
        (member(f"{LONG}/file", uid=2**22, gid=2**30, mtime=2**34), b"content"),
        link(f"{LONG}/link", f"../{LONG}/target"),
        link(f"{LONG}/again", f"{LONG}/file", hard=True),
        form=FORMS[form],
    )
    assert [(fields(one), content) for one, content in read(data)] == by_the_library(data)


def test_a_long_name_of_ustar_is_in_two_pieces() -> None:
    data = tar(member("/".join(["directory"] * 15)), form=tarfile.USTAR_FORMAT)
    assert [fields(one) for one, _ in read(data)] == [values for values, _ in by_the_library(data)]


names = st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=120)


@given(st.lists(st.tuples(names.filter(lambda name: name not in (".", "..")), st.binary(max_size=1200)), max_size=5))
def test_any_names_and_contents(files: list[tuple[str, bytes]]) -> None:
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        data = tar(*((member(f"a/{name}"), content) for name, content in files), form=form)
        assert [(one.path, content) for one, content in read(data, 333)] == [(f"/a/{name}", c) for name, c in files]


def test_a_name_that_is_no_text() -> None:
    name = b"a/\xff\xfe".decode("utf-8", "surrogateescape")
    assert [one.path for one, _ in read(tar(member(name), form=tarfile.GNU_FORMAT))] == ["/" + name]


def test_capabilities_come_from_the_extended_header() -> None:
    value = b"\x01\x00\x00\x02\x00 \x00\x00\x0a=\x00"
    record = b"SCHILY.xattr.security.capability=" + value + b"\n"
    records = b"%d %s" % (len(record) + 3, record)
    extended = member("x", type=tarfile.XHDTYPE)
    assert len(records) == int(records.split(b" ")[0])
    data = _raw(extended, records) + tar((member("usr/bin/ping"), b"elf"))
    assert [(one.path, one.capabilities, content) for one, content in read(data)] == [("/usr/bin/ping", value, b"elf")]


def test_content_that_nobody_asks_for_is_skipped() -> None:
    data = tar((member("a"), b"x" * 5000), (member("b"), b"y"))
    assert [one.path for one in TarReader(in_pieces(data, 100)).members()] == ["/a", "/b"]


def test_names_are_paths_from_the_top() -> None:
    data = tar(directory("./"), member("./etc//x"), member("/abs"), link("hard", "./etc/x", hard=True))
    assert [one.path for one, _ in read(data)] == ["/", "/etc/x", "/abs", "/hard"]
    assert read(data)[3][0].target == "/etc/x"


def _raw(info: tarfile.TarInfo, content: bytes) -> bytes:
    info.size = len(content)
    return info.tobuf(tarfile.USTAR_FORMAT) + content + bytes(-len(content) % 512)


def _damaged(data: bytes) -> bytes:
    return data[:20] + b"X" + data[21:]


def _with(kind: bytes, content: bytes = b"") -> Callable[[bytes], bytes]:
    return lambda data: _raw(member("odd", type=kind), content) + data


BAD = {
    "nothing": (lambda data: b"", "breaks off"),
    "cut in a header": (lambda data: data[:300], "breaks off"),
    "cut in a content": (lambda data: data[:600], "breaks off"),
    "without its end": (lambda data: data[:1024], "breaks off"),
    "text": (lambda data: b"hello " * 500, "no tar"),
    "a damaged header": (_damaged, "checksum"),
    "sparse, old GNU": (_with(b"S"), "sparse"),
    "a kind that nobody knows": (_with(b"Z"), "not understood"),
    "a name that leads out": (_with(b"L", b"a/../../etc/passwd\0"), "leads out"),
    "records that are none": (_with(b"x", b"hello"), "records that are none"),
    "records with a wrong length": (_with(b"x", b"99 path=x\n"), "records that are none"),
    "a record with a wrong number": (_with(b"x", b"11 size=-1\n"), "no number"),
    "sparse, by records": (_with(b"x", b"22 GNU.sparse.major=1\n"), "sparse"),
    "records for all": (_with(b"g", b"10 path=x\n"), "for all members"),
    "a name without end": (_with(b"L", b"x" * (HEADERS_LIMIT + 1)), "more than"),
    "a hole": (lambda data: bytes(512) + data, "empty header"),
}


@pytest.mark.parametrize(("spoil", "why"), BAD.values(), ids=BAD)
def test_what_is_not_understood_is_refused(spoil: Callable[[bytes], bytes], why: str) -> None:
    data = _raw(member("file"), b"content") + bytes(1024)
    assert [one.path for one, _ in read(data)] == ["/file"]
    with pytest.raises(TarStreamError, match=why):
        read(spoil(data))


@given(st.binary(max_size=2000))
def test_any_bytes_are_a_tar_or_refused(data: bytes) -> None:
    for candidate in (data, _raw(member("x", type=tarfile.XHDTYPE), data) + _raw(member("file"), b"") + bytes(1024)):
        try:
            read(candidate)
        except TarStreamError:
            continue
