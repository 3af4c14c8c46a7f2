"""Node.js's share in a Recipe, as a value."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from devbox.build.languages.base import Part, Setting
from devbox.build.languages.node import node
from devbox.build.recipe import Question, Step
from devbox.errors import ProfileError
from devbox.profile.lock import Answer, Platform
from tests.support.build import setting

LINKED = "nodeLinker: node-modules\n"


def share(asked: Setting) -> Part:
    part = node(asked)
    assert part is not None
    return part


def planned(directory: Path, **wanted: Any) -> Part:
    return share(setting(directory, packages={"node": wanted}))


def script(part: Part) -> str:
    last = part.chain[-1]
    assert isinstance(last, Step)
    return last.script


def write(directory: Path, files: dict[str, object]) -> None:
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))


def test_a_profile_without_node_has_no_share(tmp_path: Path) -> None:
    assert node(setting(tmp_path)) is None


def test_packages_lie_in_a_volume_of_the_project(tmp_path: Path) -> None:
    write(tmp_path, {"package.json": {"name": "shop"}, "package-lock.json": {}})
    part = planned(tmp_path)
    assert part.system == ("nodejs", "npm")
    assert part.path == (f"/workspaces/{tmp_path.name}/node_modules/.bin",)
    assert part.volumes == ("node_modules",)
    assert [link.name for link in part.chain] == ["node packages"]
    assert "( npm ci\n)" in script(part)


def test_node_alone_fills_no_volume(tmp_path: Path) -> None:
    part = planned(tmp_path)
    assert part.volumes == ()
    assert part.chain == ()


def test_a_project_that_needs_no_package_gets_an_empty_volume(tmp_path: Path) -> None:
    write(tmp_path, {"package.json": {"name": "shop"}})
    part = planned(tmp_path)
    assert part.volumes == ("node_modules",)
    assert "npm ci" not in script(part)
    assert "cp -R" not in script(part)


def test_a_release_of_the_project_and_its_scripts_change_nothing(tmp_path: Path) -> None:
    write(tmp_path, {"package.json": {"name": "shop", "version": "1"}, "package-lock.json": {}})
    before = planned(tmp_path)
    write(tmp_path, {"package.json": {"name": "shop", "version": "2", "scripts": {"test": "x"}}})
    assert planned(tmp_path) == before


@pytest.mark.parametrize(
    ("files", "manager", "command"),
    [
        ({"npm-shrinkwrap.json": "{}"}, "", "npm ci"),
        ({"yarn.lock": ""}, "yarn@1.22.22", "yarn install --frozen-lockfile --non-interactive"),
        (
            {"yarn.lock": "__metadata:\n  version: 8\n", ".yarnrc.yml": LINKED},
            "@yarnpkg/cli-dist@4.12.0",
            "yarn install --immutable",
        ),
        (
            {"yarn.lock": "__metadata:\n  version: 99\n", ".yarnrc.yml": LINKED},
            "@yarnpkg/cli-dist@4.18.1",
            "yarn install --immutable",
        ),
        (
            {"yarn.lock": "__metadata:\n", ".yarnrc.yml": LINKED, ".yarn/releases/yarn-3.6.4.cjs": "x"},
            "@yarnpkg/cli-dist@3.6.4",
            "yarn install --immutable",
        ),
        ({"pnpm-lock.yaml": "lockfileVersion: '6.0'\n"}, "pnpm@8.15.9", "pnpm install --frozen-lockfile"),
        ({"pnpm-lock.yaml": "lockfileVersion: '9.0'\n"}, "pnpm@9.15.9", "pnpm install --frozen-lockfile"),
        ({"pnpm-lock.yaml": "lockfileVersion: 5.4\n"}, "pnpm@7.33.7", "pnpm install --frozen-lockfile"),
    ],
)
def test_the_lock_file_chooses_who_installs(
    tmp_path: Path, files: dict[str, object], manager: str, command: str
) -> None:
    write(tmp_path, {"package.json": {"dependencies": {"a": "1"}}, **files})
    part = planned(tmp_path)
    assert [link.name for link in part.chain] == [*([manager] if manager else []), "node packages"]
    assert f"( {command}\n)" in script(part)


def test_the_field_package_manager_goes_first(tmp_path: Path) -> None:
    write(tmp_path, {"package.json": {"packageManager": "pnpm@8.15.1+sha256.abc"}, "pnpm-lock.yaml": ""})
    write(tmp_path, {"package-lock.json": "{}"})
    assert planned(tmp_path).chain[0].name == "pnpm@8.15.1"


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"yarn.lock": "", "pnpm-lock.yaml": ""}, "pnpm-lock.yaml and yarn.lock"),
        ({"bun.lock": ""}, "of Bun"),
        ({"yarn.lock": "__metadata:\n  version: 8\n"}, "Plug'n'Play"),
        ({"yarn.lock": "__metadata:\n  version: 8\n", ".yarnrc.yml": "nodeLinker: pnp\n"}, "Plug'n'Play"),
        ({"package.json": {"packageManager": "pnpm@9.0.0"}, "yarn.lock": ""}, "asks for pnpm"),
    ],
)
def test_what_cannot_be_installed_is_refused_with_a_way_out(
    tmp_path: Path, files: dict[str, object], says: str
) -> None:
    write(tmp_path, {"package.json": {}, **files})
    with pytest.raises(ProfileError, match=says) as caught:
        planned(tmp_path)
    assert caught.value.hint
    assert caught.value.problems[0].key == "packages.node"
    assert "( my own\n)" in script(planned(tmp_path, install="my own"))


def test_members_of_a_workspace_have_volumes_where_they_have_packages(tmp_path: Path) -> None:
    members: dict[str, object] = {f"packages/{name}/package.json": {"name": name} for name in "ab"}
    lock = {"packages": {"packages/b": {}, "packages/b/node_modules/is-odd": {}}}
    write(tmp_path, {"package.json": {"workspaces": ["packages/*"]}, "package-lock.json": lock, **members})
    assert planned(tmp_path).volumes == ("node_modules", "packages/b/node_modules")
    (tmp_path / "package-lock.json").unlink()
    write(tmp_path, {"package.json": {}, "pnpm-lock.yaml": ""})
    write(tmp_path, {"pnpm-workspace.yaml": "packages:\n  # all\n  - 'packages/*'\n  - \"!packages/b\"\nother: 1\n"})
    part = planned(tmp_path)
    assert part.volumes == ("node_modules", "packages/a/node_modules")
    assert "for place in node_modules packages/a/node_modules; do" in script(part)


def test_a_directory_that_a_dependency_leads_to_is_there_when_packages_are_installed(tmp_path: Path) -> None:
    write(tmp_path, {"package.json": {"dependencies": {"lib": "file:./lib", "out": "file:../x"}}})
    write(tmp_path, {"package-lock.json": "{}", "lib/package.json": {"name": "lib"}})
    last = planned(tmp_path).chain[-1]
    assert "lib/package.json" in [file.path for file in last.context]


def test_what_has_no_lock_is_asked_and_then_installed_as_answered(tmp_path: Path) -> None:
    write(tmp_path, {"package.json": {"dependencies": {"is-odd": "3"}}})
    asked = setting(tmp_path, packages={"node": {}})
    question = share(asked).chain[-1]
    assert isinstance(question, Question)
    assert "npm install --package-lock-only --ignore-scripts" in question.script
    known = Platform(answers={question.key: Answer(asked=question.asked, lines=("{", "}"))})
    made = share(replace(asked, lock=known)).chain[-1]
    assert isinstance(made, Step)
    assert made.texts == (("package-lock.json", "{\n}\n"),)
    assert "( npm ci\n)" in made.script
    write(tmp_path, {"package.json": {"dependencies": {"is-odd": "3", "more": "1"}}})
    anew = share(replace(setting(tmp_path, packages={"node": {}}), lock=known)).chain[-1]
    assert isinstance(anew, Question)
    assert "cat > package-lock.json <<'devbox-end'\n{\n}\ndevbox-end\n" in anew.script
