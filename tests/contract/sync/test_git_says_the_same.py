import os
import random
import re
import subprocess
from pathlib import Path

import pytest

from devbox.sync.core.ignore import Ignore

NAMES = ("a", "b", "ab", "ba", "a.b", "-", "]", "a b", "b ", "#a", "!b", "*", "A", "1", "\\", "^", "[a", "é")
FIXED = (
    "a\n!a\n",
    "a/\n!a/b\n",
    "*\n!b\n!ab/\n",
    "/*\n!/a\n",
    "a/*\n!a/b\n",
    "**/a\n",
    "a/**\n!a/b/\n",
    "a/**/b\n",
    "**/a/b\n",
    "/**/b\n",
    "**\n!a\n",
    "**/\n",
    "/\n",
    "//a\n",
    "a//b\n",
    "[[:alpha:]]\n",
    "[[:digit:]a]\n",
    "[![:alnum:]]\n",
    "[[:nothing:]]\n",
    "[[:a]\n[[:]\n",
    "[]]\n[!]a]\n",
    "[a-]\n[-a]\n[b-a]\n[^b-a]b\n",
    "[a\na\\\n",
    "[\\]]\n[\\a-b]\n",
    "\\#a\n\\!b\n#a\n!!b\n",
    "b \\ \nb\\ \na\\\\ \n",
    "\\\\\n\\*\n",
    "a \r\nb\r\n",
    "\ufeffa\n",
    "a\n!/a\na/\n",
    "?\n!\\?\n",
    "*a*b*\n??\n",
    "a.*\n*.b\n.*\n",
    "a/b/a\n!a/b\n",
)

STARS = re.compile(r"\*\*+")  # beside something else git takes them for one, as it says, or for more, as it happens


def some_pattern(chance: random.Random) -> str:
    atoms = ("a", "b", "a", "b", "*", "?", "[ab]", "[!a]", "[a-b]", ".", "\\*", "[[:alpha:]]", "-", "A", " ", "é")
    segments = [
        STARS.sub("*", "".join(chance.choices(atoms, k=chance.randint(1, 3))))
        for _ in range(chance.choice((1, 1, 1, 2, 3)))
    ]
    if chance.random() < 0.3:
        segments[chance.randrange(len(segments))] = "**"
    return (
        ("!" * (chance.random() < 0.3))
        + ("/" * (chance.random() < 0.2))
        + "/".join(segments)
        + ("/" * (chance.random() < 0.2))
    )


def some_files(seed: int, count: int) -> list[dict[str, str]]:
    chance = random.Random(seed)
    made = []
    for _ in range(count):
        files = {".gitignore": "\n".join(some_pattern(chance) for _ in range(chance.randint(1, 4))) + "\n"}
        if chance.random() < 0.4:
            files["a/.gitignore"] = some_pattern(chance) + "\n"
        made.append(files)
    return made


def tree(above: Path, files: dict[str, str], chance: random.Random) -> dict[str, bool]:
    """Make one; its paths, and whether they are directories."""
    made: dict[str, bool] = {}

    def fill(directory: str, depth: int) -> None:
        for name in NAMES if depth == 0 else chance.sample(NAMES, 3):
            path = directory + name
            made[path] = depth < 3 and (name == "a" or chance.random() < 0.3)
            if made[path]:
                (above / path).mkdir(parents=True)
                fill(path + "/", depth + 1)
            else:
                (above / path).touch()

    above.mkdir()
    fill("", 0)
    for name, text in files.items():
        (above / name).write_bytes(text.encode())
    return made


def what_git_ignores(root: Path, paths: list[str]) -> set[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(root), "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}
    subprocess.run(["git", "init", "-q"], cwd=root, check=True, env=environment)
    asked = subprocess.run(
        ["git", "check-ignore", "--no-index", "-z", "--stdin"],
        cwd=root,
        input=b"\0".join(path.encode() for path in paths),
        capture_output=True,
        env=environment,
    )
    assert asked.returncode in (0, 1), asked.stderr
    return {path.decode() for path in asked.stdout.split(b"\0") if path}


@pytest.mark.parametrize(
    "cases",
    [
        pytest.param([{".gitignore": text} for text in FIXED], id="what is special"),
        pytest.param(some_files(1, 150), id="any", marks=pytest.mark.long),
        pytest.param(some_files(2, 1000), id="very many", marks=pytest.mark.nightly),
    ],
)
def test_git_ignores_the_same(tmp_path: Path, cases: list[dict[str, str]]) -> None:
    chance = random.Random(7)
    trees = {f"c{number}": tree(tmp_path / f"c{number}", files, chance) for number, files in enumerate(cases)}
    by_git = what_git_ignores(tmp_path, [f"{case}/{path}" for case, paths in trees.items() for path in paths])
    wrong = []
    for number, files in enumerate(cases):
        ignore = Ignore({f"c{number}/{name}".encode(): text.encode() for name, text in files.items()})
        for path, directory in trees[f"c{number}"].items():
            ours = ignore.ignores(f"c{number}/{path}".encode(), directory=directory)
            if ours != (f"c{number}/{path}" in by_git):
                wrong.append((files, path, directory, "ours" if ours else "git's"))
    assert not wrong, wrong[:20]
    assert by_git
