"""linemap against tomli: the same keys, each on a line that has it."""

import json
import string
from collections.abc import Iterator
from pathlib import Path

import pytest
import tomli
from hypothesis import given, settings
from hypothesis import strategies as st

from devbox.profile.linemap import child, linemap

REPO = Path(__file__).parents[3]
REAL = ("examples/*/devbox.toml", "profiles/*/devbox.toml")


def paths_of(value: object, path: str = "") -> Iterator[tuple[str, str | None]]:
    """Yield each key path of a parsed document with its own key, None for a list index."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield child(path, key), key
            yield from paths_of(inner, child(path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield child(path, index), None
            yield from paths_of(inner, child(path, index))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = 1", {"a": 1}),
        ("\n\n# a = 2\na = 1 # b = 3\n", {"a": 4}),
        ("a.b.c = 1", {"a": 1, "a.b": 1, "a.b.c": 1}),
        ("[a.b]\nc = 1", {"a": 1, "a.b": 1, "a.b.c": 2}),
        ("[ a . 'b c' ]\n\"d\\u0065\" = 1", {"a": 1, 'a."b c"': 1, 'a."b c".de': 2}),
        ("a = [\n 1,\n\n 2, # ]\n]", {"a": 1, "a[0]": 2, "a[1]": 4}),
        ("a = {b = 1, c = {d = 2}}", {"a": 1, "a.b": 1, "a.c": 1, "a.c.d": 1}),
        (
            "a = [{b = [1,\n2]},\n {c = 1}]",
            {"a": 1, "a[0]": 1, "a[0].b": 1, "a[0].b[0]": 1, "a[0].b[1]": 2, "a[1]": 3, "a[1].c": 3},
        ),
        ("[[a]]\nb = 1\n[[a]]\n[a.c]\nd = 1", {"a": 1, "a[0]": 1, "a[0].b": 2, "a[1]": 3, "a[1].c": 4, "a[1].c.d": 5}),
        (
            "[[a]]\n[[a.b]]\n[[a.b]]\nc = 1\n[[a]]\n[[a.b]]\nc = 2",
            {
                **{"a": 1, "a[0]": 1, "a[0].b": 2, "a[0].b[0]": 2, "a[0].b[1]": 3, "a[0].b[1].c": 4},
                **{"a[1]": 5, "a[1].b": 6, "a[1].b[0]": 6, "a[1].b[0].c": 7},
            },
        ),
        ('a = """\n[b]\nc = 1\n"""\nd = 1', {"a": 1, "d": 5}),
        ("a = '''\n'' [b] '\n'''''\nd = 1", {"a": 1, "d": 4}),
        ('a = "\\"] #"\nb = \'\\\'\nc = """\\""""', {"a": 1, "b": 2, "c": 3}),
        ('a = """"x"""""\nb = 1', {"a": 1, "b": 2}),
        ("a = 2020-01-01 00:00:00\nb = -1_0.5e+3\nc = inf", {"a": 1, "b": 2, "c": 3}),
        ("a = 1\r\n\r\n[b]\r\nc = 1\r\n", {"a": 1, "b": 3, "b.c": 4}),
        ("[a]\n[a.b]\n[c]\n[a.d]", {"a": 1, "a.b": 2, "c": 3, "a.d": 4}),
        ('"" = 1\n[x]\n"" = 2', {'""': 1, "x": 2, 'x.""': 3}),
        ("a = []\nb = {}\nc = [ # nothing\n]", {"a": 1, "b": 2, "c": 3}),
        ("", {}),
    ],
)  # fmt: skip
def test_finds_each_key(text: str, expected: dict[str, int]) -> None:
    assert linemap(text) == expected
    assert {path for path, _ in paths_of(tomli.loads(text))} == set(expected)


@pytest.mark.parametrize(
    "file",
    [REPO / "pyproject.toml", *(path for pattern in REAL for path in sorted(REPO.glob(pattern)))],
    ids=lambda path: f"{path.parent.name}-{path.name}",
)  # fmt: skip
def test_agrees_with_tomli_on_real_files(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert_agrees(text)


def assert_agrees(text: str) -> None:
    found = linemap(text)
    parsed = dict(paths_of(tomli.loads(text)))
    assert set(parsed) == set(found)
    lines = text.split("\n")
    for path, key in parsed.items():
        line = lines[found[path] - 1]
        if key is not None:
            assert key in line or json.dumps(key, ensure_ascii=False)[1:-1] in line, (path, line)


BARE = st.text(string.ascii_lowercase + string.digits + "_-", min_size=1, max_size=4)
NAME = BARE | st.sampled_from(["a b", "a.b", "ключ", "[x]", "#", "=", 'q"q', "", "it's"])
SCALAR = st.sampled_from(
    ["1", "-1.5", "true", "2020-01-01 10:00:00", "'#]'", '"a\\"]"', '"""\n[x]\ny = 1\n"""', "'''\n''x\n'''"]
)
TREE = st.recursive(
    SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAME, inner, max_size=3), max_leaves=12
)


def written_key(key: str, draw: st.DrawFn) -> str:
    if key and all(char in string.ascii_letters + string.digits + "_-" for char in key) and draw(st.booleans()):
        return key
    if "'" not in key and draw(st.booleans()):
        return f"'{key}'"
    return json.dumps(key, ensure_ascii=False)


def written_inline(value: object, draw: st.DrawFn) -> str:
    if isinstance(value, dict):
        body = ", ".join(f"{written_key(key, draw)} = {written_inline(inner, draw)}" for key, inner in value.items())
        return f"{{ {body} }}" if body else "{}"
    if isinstance(value, list):
        gap = draw(st.sampled_from(["", " ", "\n  ", " # ], }\n"]))
        return "[" + "".join(f"{gap}{written_inline(inner, draw)},{gap}" for inner in value) + "]"
    return str(value)


@st.composite
def documents(draw: st.DrawFn) -> str:
    """A valid document in a random style: dotted keys, tables, arrays of tables, comments, blank lines."""
    out: list[str] = []

    def pairs(table: dict[str, object]) -> None:
        for key, value in table.items():
            out.extend([""] * draw(st.integers(0, 2)) + ["# x = 1"] * draw(st.integers(0, 1)))
            out.append(f"{written_key(key, draw)} = {written_inline(value, draw)}  # [no]")

    pairs(draw(st.dictionaries(NAME.map(lambda name: f"p{name}"), TREE, max_size=3)))
    for name in draw(st.lists(NAME.map(lambda name: f"t{name}"), max_size=3, unique=True)):
        key = written_key(name, draw)
        if draw(st.booleans()):
            out.append(f"[ {key} . sub ]")
            pairs(draw(st.dictionaries(NAME, TREE, max_size=3)))
            continue
        for _ in range(draw(st.integers(1, 3))):
            out.append(f"[[{key}]]")
            pairs(draw(st.dictionaries(NAME.map(lambda name: f"k{name}"), TREE, max_size=2)))
            if draw(st.booleans()):
                out.append(f"[{key}.inner]")
                pairs(draw(st.dictionaries(NAME, TREE, max_size=2)))
    return draw(st.sampled_from(["\n", "\r\n"])).join(out)


@settings(max_examples=150, deadline=None)
@given(documents())
def test_every_key_of_tomli_has_a_line_that_contains_it(text: str) -> None:
    assert_agrees(text)
