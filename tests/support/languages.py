"""Values that the tests of the languages start from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from devbox.build.languages.base import Language, Part, Setting
from devbox.build.manifests import read_inputs
from devbox.build.recipe import BaseImage, Question, Step
from devbox.profile.lock import Answer, Platform
from tests.support.build import DEBIAN, DEV, profile


def setting(directory: Path, *, base: BaseImage = DEBIAN, lock: Platform | None = None, **values: Any) -> Setting:
    """Return the setting of a profile of the keys `values` in the project `directory`."""
    asked = profile(**values)
    return Setting(
        profile=asked,
        base=base,
        inputs=read_inputs(asked, directory),
        user=DEV,
        directory="/workspaces/shop",
        lock=lock or Platform(),
    )


def part(language: Language, given: Setting) -> Part:
    """Return the share of a language that the profile asks for."""
    found = language(given)
    assert found is not None
    return found


def only_step(found: Part) -> Step:
    """Return the one step of a chain of one."""
    (link,) = found.chain
    assert isinstance(link, Step)
    return link


def only_question(found: Part) -> Question:
    """Return the one question of a chain of one."""
    (link,) = found.chain
    assert isinstance(link, Question)
    return link


def answered(question: Question, *lines: str) -> Platform:
    """Return the Lock that holds `lines` as the answer to `question`."""
    return Platform(answers={question.key: Answer(asked=question.asked, lines=lines)})


def write(directory: Path, texts: Mapping[str, str]) -> None:
    """Write the files `texts`, by path, into the project."""
    for name, text in texts.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
