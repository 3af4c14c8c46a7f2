"""Rust's share in a Recipe, as a value."""

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from devbox.build.languages.rust import rust
from devbox.build.manifests import RUST, read_inputs
from devbox.errors import ProfileError
from tests.support.build import DEBIAN, profile
from tests.support.languages import answered, only_question, only_step, part, setting, write

ASKED = {"packages": {"rust": {}}}
MANIFEST = """\
[package]
name = "shop"
version = "1.0.0"
description = "a shop"
build = "build.rs"
links = "z"

[dependencies]
itoa = "1"

[[bin]]
name = "shop"
path = "other.rs"

[profile.release]
lto = true
"""
LOCK = "version = 4\n"


def test_a_profile_without_rust_gets_none(tmp_path: Path) -> None:
    write(tmp_path, {"Cargo.toml": MANIFEST})
    assert rust(setting(tmp_path)) is None


def test_rust_without_a_manifest_is_the_toolchain_and_a_place_for_packages(tmp_path: Path) -> None:
    found = part(rust, setting(tmp_path, **ASKED))
    # The first package that somebody adds inside has a place.
    assert "chown -R -h 1000:1000 /opt/cargo" in only_step(found).script
    assert {"cargo-web", "rustc-web"} <= set(found.system)
    assert {"cargo", "rustc"} <= set(part(rust, setting(tmp_path, base=replace(DEBIAN, version="13"), **ASKED)).system)


def test_the_lock_file_of_the_repo_is_kept_to(tmp_path: Path) -> None:
    write(tmp_path, {"Cargo.toml": MANIFEST, "Cargo.lock": LOCK})
    found = part(rust, setting(tmp_path, **ASKED))
    step = only_step(found)
    assert 'cargo fetch --locked --target "$host"' in step.script
    assert [file.path for file in step.context] == ["Cargo.lock", "Cargo.toml"]
    assert step.texts == ()
    assert dict(found.env) == {"CARGO_HOME": "/opt/cargo", "CARGO_TARGET_DIR": "/home/dev/.cache/cargo-target"}


def test_without_one_it_is_asked_for_and_stands_in_the_lock(tmp_path: Path) -> None:
    write(tmp_path, {"Cargo.toml": MANIFEST})
    open_ = part(rust, setting(tmp_path, **ASKED))
    question = only_question(open_)
    assert question.key == "rust.packages"
    assert question.script.endswith("cargo generate-lockfile >&2 && cat Cargo.lock\n")
    lock = answered(question, "version = 4", "", "[[package]]")
    found = part(rust, setting(tmp_path, lock=lock, **ASKED))
    assert only_step(found).texts == (("Cargo.lock", "version = 4\n\n[[package]]\n"),)
    assert dict(found.env)["CARGO_NET_OFFLINE"] == "true"
    assert found.env == open_.env


def test_an_answer_to_an_older_manifest_is_none(tmp_path: Path) -> None:
    write(tmp_path, {"Cargo.toml": MANIFEST})
    lock = answered(only_question(part(rust, setting(tmp_path, **ASKED))), "version = 4")
    write(tmp_path, {"Cargo.toml": MANIFEST.replace('"1"', '"1.0.5"')})
    only_question(part(rust, setting(tmp_path, lock=lock, **ASKED)))


def test_another_state_of_the_archive_keeps_the_answer(tmp_path: Path) -> None:
    write(tmp_path, {"Cargo.toml": MANIFEST})
    lock = answered(only_question(part(rust, setting(tmp_path, **ASKED))), "version = 4")
    later = replace(DEBIAN, epoch=DEBIAN.epoch + 86400, id="sha256:" + "c" * 64)
    only_step(part(rust, setting(tmp_path, base=later, lock=lock, **ASKED)))


def test_targets_profiles_and_descriptions_decide_nothing(tmp_path: Path) -> None:
    write(tmp_path, {"Cargo.toml": MANIFEST, "Cargo.lock": LOCK})
    before = only_step(part(rust, setting(tmp_path, **ASKED)))
    edited = MANIFEST.replace("a shop", "the shop").replace("other.rs", "main.rs").replace("lto = true", "lto = false")
    write(tmp_path, {"Cargo.toml": edited, "src/main.rs": "fn main() {}"})
    given = setting(tmp_path, **ASKED)
    assert only_step(part(rust, given)) == before
    kept = tomllib.loads(given.inputs.text(RUST, "Cargo.toml") or "")
    assert kept == {"package": {"name": "shop", "version": "1.0.0"}, "dependencies": {"itoa": "1"}}


def test_members_and_dependencies_in_the_project_come_along(tmp_path: Path) -> None:
    member = '[package]\nname = "NAME"\nversion = "1.0.0"\n'
    write(
        tmp_path,
        {
            "Cargo.toml": '[workspace]\nmembers = ["crates/*"]\nexclude = ["crates/old"]\n',
            "crates/core/Cargo.toml": member + '[target."cfg(unix)".dependencies]\nextra = { path = "../../extra" }\n',
            "crates/old/Cargo.toml": member,
            "extra/Cargo.toml": member,
            "unrelated/Cargo.toml": member,
            ".cargo/config.toml": '[build]\nrustc-wrapper = "sccache"\n[net]\nretry = 3\n',
            "Cargo.lock": LOCK,
        },
    )
    given = setting(tmp_path, **ASKED)
    step = only_step(part(rust, given))
    assert [file.path for file in step.context] == [
        ".cargo/config.toml",
        "Cargo.lock",
        "Cargo.toml",
        "crates/core/Cargo.toml",
        "extra/Cargo.toml",
    ]
    assert given.inputs.text(RUST, ".cargo/config.toml") == "[net]\nretry = 3\n"
    assert "for place in . crates/core extra; do" in step.script
    assert "crates/" in given.inputs.looked


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ("[package\n", "Cargo.toml is not valid TOML"),
        ('[dependencies]\nx = { path = "../x" }\n', "Cargo.toml needs ../x, which lies outside of the project"),
        ('[workspace]\nmembers = ["../x"]\n', "Cargo.toml needs ../x, which lies outside of the project"),
        ('[dependencies]\nx = { path = "x" }\n', "there is no x/Cargo.toml in the project"),
    ],
)
def test_a_manifest_that_cannot_be_used_is_told(tmp_path: Path, manifest: str, message: str) -> None:
    write(tmp_path, {"Cargo.toml": manifest})
    with pytest.raises(ProfileError) as caught:
        read_inputs(profile(**ASKED), tmp_path)
    (problem,) = caught.value.problems
    assert problem.key == "packages.rust"
    assert problem.message.startswith(message)


@pytest.mark.parametrize(
    "odd", ["package = 1", "workspace = []", "dependencies = 3", "[workspace]\nmembers = 3", "target = 1"]
)
def test_tables_that_are_none_are_for_cargo_to_complain_of(tmp_path: Path, odd: str) -> None:
    write(tmp_path, {"Cargo.toml": odd + "\n", "Cargo.lock": LOCK})
    only_step(part(rust, setting(tmp_path, **ASKED)))


def test_another_command_takes_the_place_of_the_usual_one(tmp_path: Path) -> None:
    write(tmp_path, {"Cargo.toml": MANIFEST})
    found = part(rust, setting(tmp_path, packages={"rust": {"install": "cargo fetch --offline"}}))
    step = only_step(found)
    assert "( cargo fetch --offline\n)" in step.script
    assert "CARGO_NET_OFFLINE" not in dict(found.env)
