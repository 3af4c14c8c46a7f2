from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbox import record

VALUES = st.text(st.characters(codec="utf-8")).filter(lambda text: "\r" not in text)


@given(entries=st.fixed_dictionaries(dict.fromkeys(record.FIELDS, VALUES)))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, entries: dict[str, str]) -> None:
    path = str(tmp_path_factory.mktemp("state") / "record")
    record.write(path, entries)
    assert record.read(path) == entries


def test_a_record_that_is_not_there_is_none(tmp_path: Path) -> None:
    assert record.read(str(tmp_path / "record")) is None


@pytest.mark.parametrize("length", range(0, 60, 7))
def test_a_record_cut_short_is_none(tmp_path: Path, length: int) -> None:
    path = tmp_path / "record"
    record.write(str(path), {"instance": "i", "image": "m", "project": "/p"})
    path.write_bytes(path.read_bytes()[:length])
    assert record.read(str(path)) is None


@pytest.mark.parametrize("junk", [b"\xff\xfe", b"schema=1\x00", b"=\n=\n", b"schema=x\ncomplete=1\n"])
def test_a_record_of_junk_is_none(tmp_path: Path, junk: bytes) -> None:
    path = tmp_path / "record"
    path.write_bytes(junk)
    assert record.read(str(path)) is None


def test_a_record_of_a_newer_schema_is_said_to_be_so(tmp_path: Path) -> None:
    path = tmp_path / "record"
    path.write_text("schema=2\ncomplete=1\n")
    with pytest.raises(record.RecordFromTheFuture):
        record.read(str(path))


def test_writing_leaves_no_temporary_file(tmp_path: Path) -> None:
    record.write(str(tmp_path / "record"), {})
    assert [path.name for path in tmp_path.iterdir()] == ["record"]
