"""PHP's share in a Recipe, as a value."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from devbox.build.languages.php import php
from devbox.build.manifests import PHP, read_inputs
from devbox.errors import ProfileError
from tests.support.build import DEBIAN, profile
from tests.support.languages import answered, only_question, only_step, part, setting, write

ASKED = {"packages": {"php": {}}}
MANIFEST = {
    "name": "example/shop",
    "description": "a shop",
    "require": {"php": ">=8", "ext-intl": "*", "ext-json": "*", "psr/log": "^3"},
    "require-dev": {"ext-pdo_sqlite": "*"},
    "scripts": {"test": "phpunit"},
}
LOCK = {"packages": [{"name": "psr/log", "require": {"ext-gd": "*"}, "require-dev": {"ext-redis": "*"}}]}


def project(directory: Path, **more: object) -> None:
    write(directory, {"composer.json": json.dumps({**MANIFEST, **more})})


def test_a_profile_without_php_gets_none(tmp_path: Path) -> None:
    project(tmp_path)
    assert php(setting(tmp_path)) is None


def test_php_without_a_manifest_is_the_interpreter_and_what_the_profile_names(tmp_path: Path) -> None:
    found = part(php, setting(tmp_path, packages={"php": {"extensions": ["pdo_pgsql", "soap"]}}))
    assert {"php-cli", "composer", "php-pgsql", "php-soap"} <= set(found.system)
    assert (found.chain, found.volumes, found.path) == ((), (), ())


def test_extensions_are_those_that_the_project_and_its_packages_ask_for(tmp_path: Path) -> None:
    project(tmp_path)
    write(tmp_path, {"composer.lock": json.dumps(LOCK)})
    found = part(php, setting(tmp_path, **ASKED))
    extensions = {name for name in found.system if name.startswith("php-")}
    assert extensions == {"php-cli", "php-curl", "php-gd", "php-intl", "php-mbstring", "php-sqlite3", "php-xml"}


def test_an_image_with_php_keeps_to_its_own(tmp_path: Path) -> None:
    project(tmp_path)
    base = replace(DEBIAN, env=(*DEBIAN.env, ("PHP_VERSION", "8.3.1")))
    system = part(php, setting(tmp_path, base=base, **ASKED)).system
    assert "git" in system
    assert not [name for name in system if name == "composer" or name.startswith("php-")]


def test_the_lock_file_of_the_repo_is_kept_to_and_vendor_stays_inside(tmp_path: Path) -> None:
    project(tmp_path)
    write(tmp_path, {"composer.lock": json.dumps(LOCK)})
    found = part(php, setting(tmp_path, **ASKED))
    step = only_step(found)
    assert "( composer install --no-interaction --no-progress --no-scripts\n)" in step.script
    assert found.volumes == ("vendor",)
    assert found.path == ("/workspaces/shop/vendor/bin",)
    assert "chown -R -h 1000:1000 /workspaces/shop/vendor" in step.script


def test_without_one_it_is_asked_for_and_stands_in_the_lock(tmp_path: Path) -> None:
    project(tmp_path)
    question = only_question(part(php, setting(tmp_path, **ASKED)))
    assert question.key == "php.packages"
    assert question.script.endswith("--no-install --ignore-platform-req='ext-*' >&2 && cat composer.lock\n")
    found = part(php, setting(tmp_path, lock=answered(question, *json.dumps(LOCK, indent=1).splitlines()), **ASKED))
    assert json.loads(dict(only_step(found).texts)["composer.lock"]) == LOCK
    assert "php-gd" in found.system


def test_scripts_and_descriptions_decide_nothing(tmp_path: Path) -> None:
    project(tmp_path)
    write(tmp_path, {"composer.lock": json.dumps(LOCK)})
    before = only_step(part(php, setting(tmp_path, **ASKED)))
    project(tmp_path, description="the shop", scripts={"test": "phpunit -v"})
    assert only_step(part(php, setting(tmp_path, **ASKED))) == before
    project(tmp_path, autoload={"psr-4": {"Shop\\": "src/"}})
    assert only_step(part(php, setting(tmp_path, **ASKED))) != before


def test_the_autoloader_has_the_same_name_each_time(tmp_path: Path) -> None:
    project(tmp_path, config={"sort-packages": True})
    taken = json.loads(setting(tmp_path, **ASKED).inputs.text(PHP, "composer.json") or "")
    assert taken["config"]["sort-packages"] is True
    assert len(taken["config"]["autoloader-suffix"]) == 32
    project(tmp_path, config={"autoloader-suffix": "Ours"})
    own = json.loads(setting(tmp_path, **ASKED).inputs.text(PHP, "composer.json") or "")
    assert own["config"] == {"autoloader-suffix": "Ours"}


@pytest.mark.parametrize(
    "repositories", [[{"type": "path", "url": "packages/*"}], {"ours": {"type": "path", "url": "./packages/one"}}]
)
def test_packages_in_the_project_come_along(tmp_path: Path, repositories: object) -> None:
    project(tmp_path, repositories=repositories)
    write(tmp_path, {"composer.lock": "{}", "packages/one/composer.json": "{}", "packages/one/src/A.php": ""})
    given = setting(tmp_path, **ASKED)
    assert [file.path for file in given.inputs.group(PHP)] == [
        "composer.json",
        "composer.lock",
        "packages/one/composer.json",
    ]


@pytest.mark.parametrize(
    ("text", "message"), [("{", "composer.json is not valid JSON"), ("[]", "composer.json is not a JSON object")]
)
def test_a_manifest_that_cannot_be_used_is_told(tmp_path: Path, text: str, message: str) -> None:
    write(tmp_path, {"composer.json": text})
    with pytest.raises(ProfileError) as caught:
        read_inputs(profile(**ASKED), tmp_path)
    (problem,) = caught.value.problems
    assert problem.key == "packages.php"
    assert problem.message.startswith(message)


@pytest.mark.parametrize("lock", ["[]", "{", '{"packages": 1}', '{"packages": [1]}'])
def test_an_odd_lock_file_is_for_composer_to_complain_of(tmp_path: Path, lock: str) -> None:
    project(tmp_path)
    write(tmp_path, {"composer.lock": lock})
    only_step(part(php, setting(tmp_path, **ASKED)))
