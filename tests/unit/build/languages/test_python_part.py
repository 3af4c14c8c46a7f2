"""Python's share in a Recipe, as a value."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from devbox.build.languages.base import Part, Setting
from devbox.build.languages.python import python
from devbox.build.recipe import Question, Step
from devbox.errors import ProfileError, ToolchainError
from devbox.profile.lock import Answer, Platform
from tests.support.build import DEBIAN, PATH, setting

ONE = "sha256:" + "1" * 64
PROJECT = '[project]\nname = "shop"\nversion = "1"\ndependencies = ["web"]\n'
PROJECT += '[project.optional-dependencies]\ncli = ["click"]\n[dependency-groups]\ntest = ["checker"]\n'
UV = 'version = 1\n[[package]]\nname = "shop"\nsource = {virtual = "."}\n'


def share(asked: Setting) -> Part:
    part = python(asked)
    assert part is not None
    return part


def planned(directory: Path, **wanted: Any) -> Part:
    return share(setting(directory, packages={"python": wanted}))


def question(part: Part) -> Question:
    last = part.chain[-1]
    assert isinstance(last, Question)
    return last


def step(part: Part) -> Step:
    last = part.chain[-1]
    assert isinstance(last, Step)
    return last


def answered(asked: Setting, *lines: str) -> Setting:
    """Return the setting with a Lock that answers the share's question."""
    open_ = question(share(asked))
    return replace(asked, lock=Platform(answers={open_.key: Answer(asked=open_.asked, lines=lines)}))


def test_a_profile_without_python_has_no_share(tmp_path: Path) -> None:
    assert python(setting(tmp_path)) is None


def test_the_share_has_the_environment_before_the_bases_own_tools(tmp_path: Path) -> None:
    part = planned(tmp_path)
    assert part.system == ("python3", "python3-venv")
    assert (part.path, part.env) == (("/opt/venv/bin",), (("VIRTUAL_ENV", "/opt/venv"),))
    assert [link.name for link in part.chain] == ["python"]
    assert "-m venv /opt/venv" in step(part).script


def test_an_image_that_brings_python_needs_no_package(tmp_path: Path) -> None:
    own = replace(DEBIAN, env=(("PATH", PATH), ("PYTHON_VERSION", "3.12.4")))
    assert share(setting(tmp_path, base=own, packages={"python": {}})).system == ()


def test_a_version_that_the_base_does_not_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ToolchainError, match=r"holds Python 3\.11.*, not 3\.9"):
        share(setting(tmp_path, base=replace(DEBIAN, architecture="riscv64"), packages={"python": {"version": "3.9"}}))


def test_nothing_is_planned_while_the_version_is_not_known(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("flask\n")
    part = planned(tmp_path, version="3.9", requirements=["requirements.txt"])
    assert [link.key for link in part.chain] == [question(part).key]
    assert part.path[0] == "/opt/venv/bin"


def test_what_has_no_lock_is_asked_and_then_installed_as_answered(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("--extra-index-url https://index.example/simple\nflask>=3\n")
    asked = setting(tmp_path, packages={"python": {"requirements": ["requirements.txt"]}})
    assert "flask" not in question(share(asked)).script  # it stands in the file alone
    assert [file.path for file in question(share(asked)).context] == ["requirements.txt"]
    line = f"flask==3.0 --hash={ONE}"
    made = step(share(answered(asked, line, "code @ git+https://code.example/x@abc")))
    assert made.context == ()
    exact, sources = made.script.split("--require-hashes -r /run/devbox/exact.txt")
    assert f"--extra-index-url https://index.example/simple\n{line}\n" in exact
    assert "code @ git+https://code.example/x@abc" in sources
    assert "--no-deps -r /run/devbox/from-source.txt" in sources


def test_an_older_answer_is_told_to_keep_its_versions(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("flask\n")
    known = answered(
        setting(tmp_path, packages={"python": {"requirements": ["requirements.txt"]}}), f"flask==3.0 --hash={ONE}"
    )
    (tmp_path / "requirements.txt").write_text("flask\nclick\n")
    asked = replace(setting(tmp_path, packages={"python": {"requirements": ["requirements.txt"]}}), lock=known.lock)
    assert "\nflask==3.0\ndevbox-end\n" in question(share(asked)).script


def test_another_base_asks_anew(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("flask\n")
    wanted = {"python": {"requirements": ["requirements.txt"]}}
    digests = {
        question(share(setting(tmp_path, base=base, packages=wanted))).asked
        for base in (DEBIAN, replace(DEBIAN, version="13"), replace(DEBIAN, architecture="arm64"))
    }
    assert len(digests) == 3


def test_requirements_with_hashes_are_installed_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text(f"flask==3.0 --hash={ONE}\n")
    made = step(planned(tmp_path, requirements=["requirements.txt"]))
    assert "pip install --python /opt/venv/bin/python --require-hashes -r requirements.txt" in made.script
    assert [file.path for file in made.context] == ["requirements.txt"]


def test_extras_and_groups_of_a_project_are_asked_for_too(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    plain = question(planned(tmp_path, requirements=["pyproject.toml"])).script
    assert "\nweb\ndevbox-end" in plain
    more = question(planned(tmp_path, requirements=["pyproject.toml"], extras=["cli"], groups=["test"])).script
    assert "\nweb\nclick\nchecker\ndevbox-end" in more


def test_a_table_of_another_tool_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "uv.lock").write_text(UV)
    before = planned(tmp_path, requirements=["pyproject.toml"])
    text = PROJECT.replace('version = "1"', 'version = "2"') + "[tool.ruff]\nline-length = 120\n"
    (tmp_path / "pyproject.toml").write_text(text)
    assert planned(tmp_path, requirements=["pyproject.toml"]) == before
    (tmp_path / "pyproject.toml").write_text(text.replace('"web"', '"web", "more"'))
    assert planned(tmp_path, requirements=["pyproject.toml"]) != before


def test_uv_installs_from_its_own_lock_without_the_project(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "uv.lock").write_text(UV + '[[package]]\nname = "lib"\nsource = {editable = "libs/lib"}\n')
    (tmp_path / "libs/lib").mkdir(parents=True)
    (tmp_path / "libs/lib/pyproject.toml").write_text('[project]\nname = "lib"\nversion = "1"\n')
    made = step(planned(tmp_path, requirements=["pyproject.toml"], extras=["cli"], groups=["test"]))
    assert '( cd . && "$uv" sync --python /opt/venv/bin/python --frozen' in made.script
    assert "--no-install-local --extra cli --group test )" in made.script
    assert [file.path for file in made.context] == ["libs/lib/pyproject.toml", "pyproject.toml", "uv.lock"]
    with pytest.raises(ProfileError) as caught:
        planned(tmp_path, requirements=["pyproject.toml"], groups=["docs"])
    assert "there is no optional dependency or dependency group docs" in caught.value.problems[0].message


@pytest.mark.parametrize(
    ("files", "entry", "says"),
    [
        (["uv.lock", "poetry.lock"], "pyproject.toml", "uv.lock and poetry.lock"),
        ([], "poetry.lock", "there is no poetry.lock"),
        ([], "Pipfile", "there is no Pipfile"),
    ],
)
def test_lock_files_that_contradict_or_are_not_there_are_named(
    tmp_path: Path, files: list[str], entry: str, says: str
) -> None:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    for name in files:
        (tmp_path / name).write_text("")
    with pytest.raises(ProfileError) as caught:
        planned(tmp_path, requirements=[entry])
    (problem,) = caught.value.problems
    assert says in problem.message
    assert problem.key == "packages.python.requirements[0]"


def test_a_lock_file_may_be_named_by_itself(tmp_path: Path) -> None:
    lock = {"_meta": {}, "default": {"web": {"version": "==1.0", "hashes": [ONE]}}}
    (tmp_path / "Pipfile").write_text("[packages]\nweb = '*'\n")
    assert "\nweb\n" in question(planned(tmp_path, requirements=["Pipfile"])).script
    (tmp_path / "Pipfile.lock").write_text(json.dumps(lock))
    for entry in ("Pipfile", "Pipfile.lock"):
        assert f"web==1.0 --hash={ONE}" in step(planned(tmp_path, requirements=[entry])).script


def test_an_editable_project_of_setuptools_is_read_without_running_it(tmp_path: Path) -> None:
    (tmp_path / "setup.py").write_text("from setuptools import setup\nsetup(install_requires=['web'])\n")
    assert "\nweb\ndevbox-end" in question(planned(tmp_path, editable=True)).script
    (tmp_path / "setup.py").write_text("from setuptools import setup\nsetup(install_requires=find())\n")
    assert step(planned(tmp_path, editable=True)).name == "python"  # its packages come when it is installed


def test_secrets_go_to_the_question_and_the_step(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("--index-url https://${TOKEN}@index.example/simple\nflask\n")
    secrets = {name: {"env": "X"} for name in ("TOKEN", "PIP_INDEX_URL", "OTHER")}
    asked = setting(tmp_path, packages={"python": {"requirements": ["requirements.txt"]}}, secrets=secrets)
    assert question(share(asked)).secrets == ("PIP_INDEX_URL", "TOKEN")
    assert step(share(answered(asked, f"flask==3.0 --hash={ONE}"))).secrets == ("PIP_INDEX_URL", "TOKEN")
