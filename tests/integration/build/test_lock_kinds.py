"""Each kind of lock file of Python and Node.js, in a real container, with the real package managers."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from devbox.build.base import BaseImage
from devbox.build.manifests import read_inputs
from devbox.build.recipe import CONTEXT_DIRECTORY, Question
from devbox.build.run import Builder, Built
from devbox.build.steps.script import script
from devbox.build.steps.uv import CACHES, uv_lines
from tests.integration.build.conftest import Room
from tests.integration.build.test_debian import layer_files
from tests.support.build import profile

pytestmark = [pytest.mark.docker, pytest.mark.network]

PROJECT = """
[project]
name = "shop"
version = "1"
requires-python = ">=3.9"
dependencies = ["itsdangerous", "tomli ; python_version < '3'"]
[dependency-groups]
dev = ["iniconfig"]
"""
POETRY = """
[tool.poetry]
name = "shop"
[tool.poetry.dependencies]
python = "^3.9"
itsdangerous = "^2.1"
[tool.poetry.group.dev.dependencies]
iniconfig = "*"
"""
VERSIONS = "import importlib.metadata as m; print(*(n + '=' + m.version(n) for n in ('itsdangerous', 'iniconfig')))"


def poetry_lock(hashes: Mapping[str, str]) -> str:
    groups = {"itsdangerous": "main", "iniconfig": "dev"}
    parts = [_package(line, f'groups = ["{groups[name]}"]', "file") for name, line in hashes.items()]
    return "".join(parts) + '[metadata]\nlock-version = "2.1"\n'


def pdm_lock(hashes: Mapping[str, str]) -> str:
    head = '[metadata]\ngroups = ["default", "dev"]\nstrategy = ["inherit_metadata"]\n'
    groups = {"itsdangerous": "default", "iniconfig": "dev"}
    return head + "".join(_package(line, f'groups = ["{groups[name]}"]', "file") for name, line in hashes.items())


def pylock(hashes: Mapping[str, str]) -> str:
    head = 'lock-version = "1.0"\ndefault-groups = ["dev"]\n'
    marks = {"itsdangerous": "", "iniconfig": "marker = \"'dev' in dependency_groups\"\n"}
    parts = []
    for name, line in hashes.items():
        digest = line.split("--hash=sha256:")[1].split()[0]
        parts.append(
            f'[[packages]]\nname = "{name}"\nversion = "{_version(line)}"\n{marks[name]}'
            f'wheels = [{{name = "x.whl", hashes = {{sha256 = "{digest}"}}}}]\n'
        )
    return head + "".join(parts)


def pipfile_lock(hashes: Mapping[str, str]) -> str:
    def entry(name: str) -> dict[str, object]:
        return {
            name: {"version": f"=={_version(hashes[name])}", "hashes": [hashes[name].split("--hash=")[1].split()[0]]}
        }

    return json.dumps({"_meta": {}, "default": entry("itsdangerous"), "develop": entry("iniconfig")})


def _package(line: str, more: str, file: str) -> str:
    digest = line.split("--hash=")[1].split()[0]
    name = line.split("==")[0]
    return (
        f'[[package]]\nname = "{name}"\nversion = "{_version(line)}"\n{more}\n'
        f'files = [{{{file} = "x.whl", hash = "{digest}"}}]\n'
    )


def _version(line: str) -> str:
    return line.split("==")[1].split(" ")[0]


def uv_lock(room: Room, base: BaseImage) -> str:
    """Return what uv itself locks for the project in `room`: the addresses in it are the index's own."""
    asked = {"packages": {"python": {"requirements": ["pyproject.toml"]}}}
    inputs = read_inputs(profile(**asked), room.directory)
    recipe = room.recipe(base, packages={"python": {}})
    lines = [
        "exec 3>&1 >&2",
        *uv_lines(),
        f"cp -R {CONTEXT_DIRECTORY} /tmp/w; cd /tmp/w",
        '"$uv" lock -q',
        "cat uv.lock >&3",
    ]
    question = Question(
        key="test.uv",
        name="lock with uv",
        asked="0" * 64,
        script=script(base.epoch, lines),
        caches=CACHES,
        context=inputs.group("packages.python.project"),
    )
    order = room.order(replace(recipe, open=question), inputs)
    return "\n".join([*Builder(room.engine, room.reporter).ask(order), ""])


def packages(room: Room, built: Built) -> str:
    return room.inside(built.image, "/opt/venv/bin/python", "-c", VERSIONS)


def test_each_lock_file_of_python_is_respected(room: Room, debian: BaseImage) -> None:
    (room.directory / "requirements.txt").write_text("itsdangerous<2.2\niniconfig<2.1\n")
    first = room.build(debian, packages={"python": {"requirements": ["requirements.txt"]}})
    wanted = packages(room, first)
    lines = room.known.answers["python.packages"].lines
    hashes = {line.split("==")[0]: line for line in lines}
    assert set(hashes) == {"itsdangerous", "iniconfig"}
    assert wanted == " ".join(f"{name}={_version(hashes[name])}" for name in ("itsdangerous", "iniconfig")) + "\n"
    kinds: list[tuple[dict[str, str], str, dict[str, Any]]] = [
        ({"pyproject.toml": POETRY, "poetry.lock": poetry_lock(hashes)}, "pyproject.toml", {}),
        ({"pyproject.toml": PROJECT, "pdm.lock": pdm_lock(hashes)}, "pyproject.toml", {}),
        ({"Pipfile": "", "Pipfile.lock": pipfile_lock(hashes)}, "Pipfile", {"groups": ["dev"]}),
        ({"pylock.toml": pylock(hashes)}, "pylock.toml", {}),
    ]
    for files, entry, more in kinds:
        _only(room.directory, files)
        built = room.build(debian, packages={"python": {"requirements": [entry], **more}})
        assert (entry, built.run[-1:]) == (entry, ("python packages",)) or built.run == ()
        assert packages(room, built) == wanted


@pytest.mark.nightly
def test_uv_installs_from_its_own_lock_file_and_twice_the_same(room: Room, debian: BaseImage) -> None:
    _only(room.directory, {"pyproject.toml": PROJECT})
    room.build(debian, packages={"python": {}})
    _only(room.directory, {"pyproject.toml": PROJECT, "uv.lock": uv_lock(room, debian)})
    asked = {"packages": {"python": {"requirements": ["pyproject.toml"]}}}
    built = room.build(debian, **asked)
    assert built.run == ("python packages",)
    assert packages(room, built).startswith("itsdangerous=2")
    (room.directory / "pyproject.toml").write_text(PROJECT.replace('"1"', '"2"') + "[tool.ruff]\nline-length = 99\n")
    assert room.build(debian, **asked).run == ()
    once, again = (
        layer_files(room.saved(image)) for image in (built.image, room.build(debian, no_cache=True, **asked).image)
    )
    assert sorted(name for name in once.keys() | again.keys() if once.get(name) != again.get(name)) == []
    assert not any("bin/uv" in name for name in once)


APP = {"name": "shop", "dependencies": {"is-odd": "^3.0.0"}, "devDependencies": {"mkdirp": "^3"}}
LINKED = "nodeLinker: node-modules\n"
ODD = "console.log(require('is-odd')(3))"
Files = dict[str, str]


@pytest.mark.nightly  # npm of Debian is 500 packages
def test_each_lock_file_of_node_is_respected(room: Room, debian: BaseImage) -> None:
    kinds: list[tuple[str, str, Files]] = [
        ("", "package-lock.json", {}),
        ("yarn@1.22.22", "yarn.lock", {}),
        ("yarn@4.12.0", "yarn.lock", {".yarnrc.yml": LINKED}),
        ("pnpm@9.15.9", "pnpm-lock.yaml", {}),
    ]
    for manager, lock, files in kinds:
        manifest = {**APP, **({"packageManager": manager} if manager else {})}
        _only(room.directory, {"package.json": json.dumps(manifest), **files})
        resolved = room.build(debian, packages={"node": {}})
        assert _odd(room, resolved) == "true\n", manager
        text = "\n".join([*room.known.answers["node.packages"].lines, ""])
        _only(room.directory, {"package.json": json.dumps(APP), **files, lock: text})
        built = room.build(debian, packages={"node": {}})
        assert _odd(room, built) == "true\n", manager
        assert room.inside(built.image, "ls", "-A", f"/workspaces/{room.directory.name}") == "node_modules\n"
        (room.directory / "package.json").write_text(json.dumps({**APP, "scripts": {"test": "x"}, "version": "2"}))
        assert room.build(debian, packages={"node": {}}).run == (), manager


def _odd(room: Room, built: Built) -> str:
    look = f'cd "/workspaces/{room.directory.name}" && node -e "{ODD}" && test -x node_modules/.bin/mkdirp'
    return room.inside(built.image, "sh", "-c", look, user="dev")


@pytest.mark.nightly
@pytest.mark.parametrize(
    "more",
    [
        {"package.json": {"name": "shop", "private": True, "workspaces": ["libs/*"]}},
        {
            "package.json": {"name": "shop", "private": True, "packageManager": "pnpm@9.15.9"},
            "pnpm-workspace.yaml": "packages:\n  - libs/*\n",
        },
    ],
    ids=["npm", "pnpm"],
)
def test_members_of_a_workspace_find_their_packages_twice_the_same(
    room: Room, debian: BaseImage, more: dict[str, object]
) -> None:
    files = {
        "libs/a/package.json": {"name": "a", "version": "1.0.0", "dependencies": {"is-odd": "^3.0.0"}},
        "libs/b/package.json": {"name": "b", "version": "1.0.0", "dependencies": {"is-odd": "^2.0.0"}},
    }
    texts = {name: text if isinstance(text, str) else json.dumps(text) for name, text in {**files, **more}.items()}
    _only(room.directory, texts)
    built = room.build(debian, packages={"node": {}})
    look = "for m in a b; do cd '/workspaces/{}/libs/'$m; node -p \"require('is-odd/package.json').version[0]\"; done"
    place = f"/workspaces/{room.directory.name}"
    made = f"mkdir -p '{place}/libs/a' '{place}/libs/b'; "
    assert room.inside(built.image, "sh", "-c", made + look.format(room.directory.name)) == "3\n2\n"
    fresh = room.build(debian, no_cache=True, packages={"node": {}})
    once, again = (layer_files(room.saved(image)) for image in (built.image, fresh.image))
    assert sorted(name for name in once.keys() | again.keys() if once.get(name) != again.get(name)) == []


def _only(directory: Path, files: Mapping[str, str]) -> None:
    """Leave nothing in the project but `files`."""
    for path in sorted(directory.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
