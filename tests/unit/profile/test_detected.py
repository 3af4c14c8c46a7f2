"""The corpus of detection: each of its projects has exactly the evidence that stands beside it."""

import json
from pathlib import Path

import pytest

from devbox.build.manifests import read_inputs
from devbox.errors import DevboxError
from devbox.profile.asks import requests
from devbox.profile.detect import detect, render, require_clear
from devbox.profile.gate import require_supported
from devbox.profile.load import load
from tests.support.corpus import PROJECTS, found_in

CLEAR = [path for path in PROJECTS if json.loads((path / "expected.json").read_text())["error"] is None]


def test_the_corpus_is_there() -> None:
    assert len(PROJECTS) >= 80
    assert len(PROJECTS) - len(CLEAR) >= 15
    stacks = {name for path in PROJECTS for name in json.loads((path / "expected.json").read_text())["stacks"]}
    assert stacks == {"python", "node", "go", "rust", "java", "ruby", "php", "c", "dotnet", "elixir", "static"}


@pytest.mark.parametrize("project", PROJECTS, ids=lambda path: path.name)
def test_what_is_found_is_what_is_expected(project: Path) -> None:
    expected = json.loads((project / "expected.json").read_text(encoding="utf-8"))
    assert found_in(project) == expected, "if this is meant: python -m tests.support.corpus"


@pytest.mark.parametrize("project", PROJECTS, ids=lambda path: path.name)
def test_every_place_is_there(project: Path) -> None:
    found = detect(project / "repo")
    places = [(one.file, one.line) for one in found.evidence]
    places += [(problem.file, problem.line) for problem in found.problems]
    for stack in found.stacks:
        named = (*stack.claims, *stack.system, *stack.tasks, *stack.ports, *stack.services, *stack.steps)
        places += [(one.at.file, one.at.line) for one in named]
    for file, line in places:
        assert file is not None
        lines = (project / "repo" / file).read_bytes().splitlines()
        assert line is None or 1 <= line <= len(lines)


@pytest.mark.parametrize("project", CLEAR, ids=lambda path: path.name)
def test_what_is_written_for_it_can_be_used_as_it_is(project: Path) -> None:
    found = detect(project / "repo")
    require_clear(found)
    text = render(found)
    assert text == render(detect(project / "repo"))
    loaded = load(project / "repo", environ={}, fallback=text)
    require_supported(loaded)
    assert requests(loaded, project / "repo", environ={}) == ()
    read_inputs(loaded.profile, project / "repo")  # no manifest that it names is refused by the build


@pytest.mark.parametrize("project", [path for path in PROJECTS if path not in CLEAR], ids=lambda path: path.name)
def test_what_is_refused_says_what_was_seen_and_what_to_write(project: Path) -> None:
    found = detect(project / "repo")
    with pytest.raises(DevboxError) as caught:
        require_clear(found)
    assert caught.value.exit_status == 2
    assert "devbox init" in (caught.value.hint or "")
    assert all(problem.file for problem in caught.value.problems)
    assert caught.value.problems or project.name == "empty"
