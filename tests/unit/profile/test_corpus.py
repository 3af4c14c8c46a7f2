"""Bad profiles: `corpus/NAME.toml` is refused with exactly the problems that `corpus/NAME.txt` lists.

A line is `LINE: KEY: MESSAGE [HINT]`. After a change of words, look at what
`DEVBOX_WRITE_CORPUS=1 pytest tests/unit/profile/test_corpus.py` writes before you keep it.
"""

import os
from pathlib import Path

import pytest

from devbox.errors import Problem, ProfileError
from devbox.profile.load import load

CORPUS = Path(__file__).parent / "corpus"
CASES = sorted(CORPUS.glob("*.toml"))


def _line(problem: Problem) -> str:
    assert problem.file == "devbox.toml"
    hint = f" [{problem.hint}]" if problem.hint else ""
    return f"{problem.line or '-'}: {problem.key or '-'}: {problem.message}{hint}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_is_refused_with_these_words(case: Path, project: Path) -> None:
    (project / "devbox.toml").write_bytes(case.read_bytes())
    with pytest.raises(ProfileError) as caught:
        load(project, environ={})
    said = "\n".join(_line(problem) for problem in caught.value.problems) + "\n"
    expected = case.with_suffix(".txt")
    if os.environ.get("DEVBOX_WRITE_CORPUS"):
        expected.write_text(said, encoding="utf-8")
    assert said == expected.read_text(encoding="utf-8")
    assert said.isprintable() or all(line.isprintable() for line in said.splitlines())
    assert "pydantic" not in said
    assert "Input should" not in said
    assert [path.name for path in project.iterdir()] == ["devbox.toml"]
