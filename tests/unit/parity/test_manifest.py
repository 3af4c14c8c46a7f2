import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbox.errors import ManifestError
from devbox.parity.compare import Difference, compare
from devbox.parity.manifest import Entry, Manifest, escape, parse, unescape

EMPTY = "sha256:" + "0" * 64
ETC = Entry(path="/etc", kind="dir", mode="0755", owner="0:0")
FILE = Entry(path="/etc/a b", kind="file", mode="0644", owner="user", size=3, content=EMPTY, capabilities="01")
LINK = Entry(path="/etc/l\udcff", kind="link", mode="-", owner="user:5", target="-")
KEY = Entry(path="/etc/ssh", kind="file", mode="0600", owner="0:0", content="noise")
MANIFEST = Manifest(entries=(ETC, FILE, LINK, KEY))
TEXT = f"""devbox-manifest 1
/etc dir 0755 0:0 - - - -
/etc/a\\x20b file 0644 user 3 {EMPTY} - 01
/etc/l\\xff link - user:5 - - \\x2d -
/etc/ssh file 0600 0:0 - noise - -
"""


def test_a_line_per_path_in_ascii() -> None:
    assert MANIFEST.text == TEXT
    assert re.fullmatch("sha256:[0-9a-f]{64}", MANIFEST.digest)
    assert MANIFEST.digest != Manifest(entries=(ETC, FILE, LINK)).digest


def test_what_was_written_is_read() -> None:
    found = parse(TEXT.encode(), file="m")
    assert found == MANIFEST
    assert found.digest == MANIFEST.digest


@given(st.binary(max_size=40))
def test_any_name_is_escaped_and_comes_back(data: bytes) -> None:
    name = data.decode("utf-8", "surrogateescape")
    for alone in (False, True):
        written = escape(name, alone=alone)
        assert written.isascii()
        assert " " not in written
        assert written.isprintable()
    assert unescape(escape(name)) == name


BAD = {
    "empty": (b"", 1, "first line"),
    "another file": (b"[base]\n", 1, "first line"),
    "binary": (b"devbox-manifest 1\n\n\xff", 3, "plain ASCII"),
    "a newer version": (b"devbox-manifest 2\n", 1, "reads 1"),
    "cut": (TEXT[:-1].encode(), 5, "breaks off"),
    "a field too few": (b"devbox-manifest 1\n/etc dir 0755 0:0\n", 2, "4 fields"),
    "a wrong path": (TEXT.replace("/etc dir", "etc dir").encode(), 2, "path"),
    "a wrong type": (TEXT.replace("/etc dir", "/etc door").encode(), 2, "type"),
    "a wrong mode": (TEXT.replace("0755", "755").encode(), 2, "mode"),
    "a wrong owner": (TEXT.replace("0644 user", "0644 dev").encode(), 3, "owner"),
    "a wrong content": (TEXT.replace("noise", "md5:1").encode(), 5, "content"),
    "a wrong escape": (TEXT.replace("\\x20", "\\n").encode(), 3, "backslash"),
    "out of order": (TEXT.replace("/etc/ssh", "/bin").encode(), 5, "order"),
    "a path twice": (TEXT.replace("/etc/ssh", "/etc/l\\xff").encode(), 5, "order"),
}


@pytest.mark.parametrize(("data", "line", "why"), BAD.values(), ids=BAD)
def test_what_is_no_manifest_is_refused_with_its_line(data: bytes, line: int, why: str) -> None:
    with pytest.raises(ManifestError) as caught:
        parse(data, file="theirs.manifest")
    (problem,) = caught.value.problems
    assert (problem.file, problem.line) == ("theirs.manifest", line)
    assert why in problem.message


def test_the_same_is_identical() -> None:
    assert compare(MANIFEST, parse(TEXT.encode(), file="m")) == ()


def test_each_difference_has_its_path_and_field() -> None:
    theirs = Manifest(
        entries=(
            replace(ETC, mode="0700", owner="user"),
            replace(FILE, size=4, content=EMPTY[:-1] + "1"),
            replace(LINK, target="elsewhere"),
            Entry(path="/new", kind="pipe", mode="0644", owner="0:0"),
        )
    )
    assert compare(MANIFEST, theirs) == (
        Difference(path="/etc", field="mode", ours="0755", theirs="0700"),
        Difference(path="/etc", field="owner", ours="0:0", theirs="user"),
        Difference(path="/etc/a b", field="content", ours=EMPTY, theirs=EMPTY[:-1] + "1"),
        Difference(path="/etc/l\udcff", field="target", ours="-", theirs="elsewhere"),
        Difference(path="/etc/ssh", field="presence", ours="file", theirs="absent"),
        Difference(path="/new", field="presence", ours="absent", theirs="pipe"),
    )


def test_of_another_type_nothing_else_is_compared() -> None:
    theirs = Manifest(entries=(replace(ETC, kind="file", size=0, content=EMPTY, mode="0600"),))
    assert compare(Manifest(entries=(ETC,)), theirs) == (
        Difference(path="/etc", field="type", ours="dir", theirs="file"),
    )
