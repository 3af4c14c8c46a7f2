"""Go's share in a Recipe, as a value."""

from pathlib import Path

import pytest

from devbox.build.languages.go import MODULES, go
from devbox.build.manifests import GO, read_inputs
from devbox.errors import ProfileError
from tests.support.build import FEDORA, UNKNOWN, profile
from tests.support.languages import only_question, only_step, part, setting, write

ASKED = {"packages": {"go": {}}}
MOD = "module example.org/shop\n\ngo 1.19\n\nrequire example.org/text v0.3.8 // why\n"


def test_a_profile_without_go_gets_none(tmp_path: Path) -> None:
    write(tmp_path, {"go.mod": MOD})
    assert go(setting(tmp_path)) is None


def test_go_without_a_module_is_the_toolchain_and_a_place_for_packages(tmp_path: Path) -> None:
    found = part(go, setting(tmp_path, **ASKED))
    # The first package that somebody adds inside has a place.
    assert "chown -R -h 1000:1000 /opt/go-modules" in only_step(found).script
    assert "golang-go" in found.system
    assert part(go, setting(tmp_path, base=FEDORA, **ASKED)).system != found.system
    assert part(go, setting(tmp_path, base=UNKNOWN, **ASKED)).system == ()


def test_modules_wait_for_a_version_that_is_still_to_be_found(tmp_path: Path) -> None:
    write(tmp_path, {"go.mod": MOD})
    question = only_question(part(go, setting(tmp_path, packages={"go": {"version": ">=1.22"}})))
    assert question.key == "go.toolchain"


def test_the_modules_lie_outside_of_the_repo_and_tools_are_found(tmp_path: Path) -> None:
    write(tmp_path, {"go.mod": MOD, "go.sum": ""})
    found = part(go, setting(tmp_path, **ASKED))
    assert found.env == (("GOMODCACHE", MODULES), ("GOTOOLCHAIN", "local"))
    assert found.path == ("/home/dev/go/bin",)
    assert found.volumes == ()
    step = only_step(found)
    assert step.caches == ("go",)
    assert [file.path for file in step.context] == ["go.mod", "go.sum"]
    assert "( cd .; go mod download\n)" in step.script
    assert f"mkdir -p {MODULES}/cache/download " in step.script  # else a module that needs no other has none
    assert "chown -R -h 1000:1000 /opt/go-modules" in step.script


def test_an_edit_that_decides_nothing_makes_no_other_step(tmp_path: Path) -> None:
    write(tmp_path, {"go.mod": MOD, "main.go": "package main\n"})
    before = only_step(part(go, setting(tmp_path, **ASKED)))
    write(tmp_path, {"go.mod": MOD.replace("// why", "// because") + "\n// the end\n", "main.go": "package shop\n"})
    assert only_step(part(go, setting(tmp_path, **ASKED))) == before
    write(tmp_path, {"go.mod": MOD.replace("v0.3.8", "v0.3.9")})
    assert only_step(part(go, setting(tmp_path, **ASKED))) != before


def test_a_workspace_brings_all_of_its_modules(tmp_path: Path) -> None:
    work = "go 1.19\n\nuse ./api // first\nuse (\n\t./lib\n\t./tools\n)\n"
    write(tmp_path, {"go.work": work, "go.work.sum": ""} | {f"{name}/go.mod": MOD for name in ("api", "lib", "tools")})
    step = only_step(part(go, setting(tmp_path, **ASKED)))
    assert [file.path for file in step.context] == [
        "api/go.mod",
        "go.work",
        "go.work.sum",
        "lib/go.mod",
        "tools/go.mod",
    ]
    assert step.script.count("go mod download") == 1


def test_a_replacement_in_the_project_comes_along(tmp_path: Path) -> None:
    replaced = (
        MOD + "replace example.org/text => ./third/text\nreplace example.org/other v1.0.0 => example.org/fork v1.0.1\n"
    )
    write(tmp_path, {"go.mod": replaced, "third/text/go.mod": "module example.org/text\n", "third/text/go.sum": ""})
    step = only_step(part(go, setting(tmp_path, **ASKED)))
    assert [file.path for file in step.context] == ["go.mod", "third/text/go.mod", "third/text/go.sum"]


def test_a_replacement_outside_of_the_project_is_told(tmp_path: Path) -> None:
    write(tmp_path, {"go.mod": MOD + "replace example.org/text => ../text\n"})
    with pytest.raises(ProfileError) as caught:
        read_inputs(profile(**ASKED), tmp_path)
    (problem,) = caught.value.problems
    assert problem.key == "packages.go"
    assert problem.message == "go.mod needs ../text, which lies outside of the project"


def test_modules_in_the_repo_are_not_fetched(tmp_path: Path) -> None:
    write(tmp_path, {"go.mod": MOD, "vendor/modules.txt": ""})
    given = setting(tmp_path, **ASKED)
    assert only_step(part(go, given)).name == "a place for packages"
    assert "vendor/modules.txt" in given.inputs.looked


def test_another_command_takes_the_place_of_the_usual_one(tmp_path: Path) -> None:
    write(tmp_path, {"go.mod": MOD})
    step = only_step(part(go, setting(tmp_path, packages={"go": {"install": "go mod download -x"}})))
    assert "( cd .; go mod download -x\n)" in step.script


def test_secrets_of_the_tool_and_of_the_manifests_are_handed_over(tmp_path: Path) -> None:
    write(tmp_path, {"go.mod": MOD})
    secrets = {name: {"env": name} for name in ("GOPRIVATE", "GOOGLE_KEY", "NETRC")}
    assert only_step(part(go, setting(tmp_path, secrets=secrets, **ASKED))).secrets == ("GOPRIVATE", "NETRC")


def test_the_group_is_empty_when_nobody_asks(tmp_path: Path) -> None:
    write(tmp_path, {"go.mod": MOD})
    assert setting(tmp_path).inputs.group(GO) == ()
