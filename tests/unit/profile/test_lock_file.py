"""devbox.lock as text: what is written is read again, in a stable order; anything else is refused in plain words."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbox.errors import LockInvalidError
from devbox.profile.lock import Answer, Group, Lock, LockedBase, LockedPackage, Platform
from devbox.profile.lock_file import parse, render

PACKAGE = LockedPackage(
    name="libstdc++6",
    version="1:12.2.0-14+deb12u1~x",
    architecture="amd64",
    sha256="0" * 64,
    file="pool/main/g/gcc-12/libstdc++6_12.2.0-14+deb12u1_amd64.deb",
    archive="debian-security",
)
TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
DIGESTS = st.sampled_from(["", "sha256:" + "0f" * 32])
GROUPS = st.builds(
    Group,
    asked=st.lists(TEXT, max_size=3).map(tuple),
    packages=st.lists(st.just(PACKAGE), max_size=2).map(tuple),
    epoch=st.integers(0, 4_000_000_000),
    after=st.lists(TEXT, max_size=2).map(tuple),
)
ANSWERS = st.builds(Answer, asked=TEXT, lines=st.lists(TEXT, max_size=4).map(tuple))
PLATFORMS = st.builds(
    Platform,
    base=st.none() | st.builds(LockedBase, reference=TEXT, digest=DIGESTS, epoch=st.integers(0, 4_000_000_000)),
    groups=st.lists(GROUPS, max_size=3).map(tuple),
    answers=st.dictionaries(TEXT, ANSWERS, max_size=3),
    steps=st.lists(TEXT, max_size=2).map(tuple),
    content=TEXT,
)
PARTS = {
    "profile": TEXT,
    "inputs": st.dictionaries(TEXT, TEXT, max_size=3),
    "platforms": st.dictionaries(TEXT, PLATFORMS, max_size=2),
}
LOCKS = st.builds(Lock, **PARTS, machines=st.dictionaries(TEXT, st.builds(Lock, **PARTS), max_size=2))


@given(LOCKS)
def test_what_is_written_is_read_again(lock: Lock) -> None:
    text = render(lock)
    assert parse(text) == lock
    assert render(parse(text)) == text


def test_a_group_that_took_something_away_is_read_again() -> None:
    lock = Lock(platforms={"amd64": Platform(groups=(Group(removed=("jq",), after=("1",)),))})
    assert parse(render(lock)) == lock


def test_each_package_has_a_line_of_its_own() -> None:
    lines = render(Lock(platforms={"amd64": Platform(groups=(Group(asked=("a",), packages=(PACKAGE,)),))})).splitlines()
    assert sum("libstdc++6" in line for line in lines) == 1
    assert any(line.startswith('  "libstdc++6=1:12.2.0-14+deb12u1~x amd64 000') for line in lines)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("schema = [", "is no TOML"),
        ("", "no schema that this devbox knows"),
        ("schema = 99", "newer devbox"),
        ("schema = 1\nprofile = 3", "is no text"),
        ('schema = 1\nprofile = ""\nplatform = 1', "as devbox writes it"),
        ('schema = 1\nprofile = ""\n[[platform.amd64.system]]\npackages = ["jq; rm -rf /"]', "is no package"),
        (
            'schema = 1\nprofile = ""\n[[platform.amd64.system]]\n'
            f'packages = ["jq=1 amd64 {"0" * 64} debian pool/../../x.deb"]',
            "is no package",
        ),
        ('schema = 1\nprofile = ""\n[platform.amd64.base]\nreference = "x"', "as devbox writes it"),
        ('schema = 1\nprofile = ""\n[platform.a.base]\nreference = "x"\ndigest = ""\ndate = 3', "no date"),
    ],
)
def test_what_is_no_lock_is_refused_in_plain_words(text: str, words: str) -> None:
    with pytest.raises(LockInvalidError) as caught:
        parse(text)
    assert words in caught.value.problems[0].message
    assert caught.value.exit_status == 2


@given(st.binary(max_size=200))
def test_any_text_is_a_lock_or_refused(data: bytes) -> None:
    with contextlib.suppress(LockInvalidError):
        parse("schema = 1\n" + data.decode("utf-8", "replace"))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('schema = 1\nprofile = ""\n[', 3),
        ('schema = 1\nprofile = ""\n[platform.a.base]\nreference = "x"\ndigest = "latest"\n', 3),
        ('schema = 1\nprofile = ""\n[[platform.a.system]]\npackages = [\n  "jq",\n]\n', 5),
        ('schema = 1\nprofile = ""\n[platform.a.answers."node.toolchain"]\nasked = "x"\n', 3),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, line: int) -> None:
    with pytest.raises(LockInvalidError) as caught:
        parse(text, shown="devbox.lock")
    assert [(one.file, one.line) for one in caught.value.problems] == [("devbox.lock", line)]
