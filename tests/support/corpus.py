"""The corpus of detection: `tests/corpus/NAME/repo` is a project, `expected.json` what is found in it.

After a change that is meant, `python -m tests.support.corpus` writes what is found now; look at the difference before
you keep it.
"""

import json
from pathlib import Path
from typing import Any

from devbox.errors import DevboxError, Problem
from devbox.profile.detect import Detection, Evidence, Stack, detect, require_clear

CORPUS = Path(__file__).parents[1] / "corpus"
PROJECTS = sorted(path for path in CORPUS.iterdir() if path.is_dir()) if CORPUS.is_dir() else []


def found_in(project: Path) -> dict[str, Any]:
    """Return what is found in `project`, as `expected.json` has it."""
    found = detect(project / "repo")
    return {
        "error": _error(found),
        "problems": [_problem(problem) for problem in found.problems],
        "stacks": {stack.name: _stack(stack) for stack in found.stacks},
        "also": [_seen(one) for one in found.others],
    }


def _error(found: Detection) -> str | None:
    try:
        require_clear(found)
    except DevboxError as error:
        return error.code
    return None


def _stack(stack: Stack) -> dict[str, Any]:
    whole = {
        "version": stack.version,
        "versions": [_seen(one.at) for one in stack.claims],
        "evidence": [_seen(one) for one in stack.evidence],
        "settings": dict(stack.settings),
        "system": {one.name: _seen(one.at) for one in stack.system},
        "tasks": {one.name: f"{one.run}  # {one.at.place}" for one in stack.tasks},
        "ports": {str(one.number): _seen(one.at) for one in stack.ports},
        "services": {one.name: _seen(one.at) for one in stack.services},
        "provision": [f"{one.run}  # {one.at.place}" for one in stack.steps],
        "image": stack.image and stack.image.name,
    }
    return {key: value for key, value in whole.items() if value}


def _seen(at: Evidence) -> str:
    return f"{at.place}: {at.what}"


def _problem(problem: Problem) -> str:
    place = problem.file if problem.line is None else f"{problem.file}:{problem.line}"
    return f"{place}: {problem.message}"


def written(found: dict[str, Any]) -> str:
    """Return the text of `expected.json`."""
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for directory in PROJECTS:
        (directory / "expected.json").write_text(written(found_in(directory)), encoding="utf-8")
