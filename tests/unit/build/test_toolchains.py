"""Where a toolchain comes from: the image itself, the distribution, a registry; and what is said if from nowhere."""

from dataclasses import replace
from pathlib import Path

import pytest

from devbox.build.languages.base import Part
from devbox.build.recipe import BaseImage, Question, Step
from devbox.build.toolchains import toolchain
from devbox.build.toolchains.servers import channel
from devbox.errors import ToolchainError
from devbox.profile.toolchains.constraint import parse
from devbox.profile.toolchains.releases import TOOLS
from tests.support.build import ALPINE, DEBIAN, FEDORA, UNKNOWN
from tests.support.languages import answered, only_question, only_step, setting

TRIXIE = replace(DEBIAN, reference="debian:13", version="13")
SID = replace(DEBIAN, reference="debian:sid", version="")
NODE = ("version=22.11.0", "source=npm", "integrity=sha512-aaaa==", "npm=10.9.0", "npm-integrity=sha512-bbbb==")
GO = ("version=1.22.5", "source=go-modules", "sum=h1:cccc=")
PYTHON = ("version=3.10.18", "source=uv", "uv=0.8.0", f"sha256={'d' * 64}")
RUST = ("version=1.70.0", "source=rustup", "rustup=1.28.2", f"sha256={'e' * 64}")
FETCHED = [("node", "22", NODE), ("go", "1.22", GO), ("python", "3.10", PYTHON), ("rust", "1.70", RUST)]


def part(tmp_path: Path, tool: str, version: str | None = None, base: BaseImage = DEBIAN, **values: object) -> Part:
    asked = {} if version is None else {"version": version}
    return toolchain(setting(tmp_path, base=base, packages={tool: asked}, **values), tool)


@pytest.mark.parametrize("version", [None, "3.12", "3.12.4", ">=3.9"])
def test_what_the_image_brings_is_kept(tmp_path: Path, version: str | None) -> None:
    own = replace(DEBIAN, reference="python:3.12", env=(*DEBIAN.env, ("PYTHON_VERSION", "3.12.4")))
    assert part(tmp_path, "python", version, own) == Part()


def test_another_version_than_the_image_brings_is_refused(tmp_path: Path) -> None:
    own = replace(DEBIAN, reference="golang:1.21", env=(*DEBIAN.env, ("GOLANG_VERSION", "1.21.3")))
    with pytest.raises(ToolchainError, match=r"golang:1\.21 holds Go 1\.21\.3, not \^1\.22"):
        part(tmp_path, "go", "^1.22", own)


@pytest.mark.parametrize("tool", TOOLS)
def test_without_a_version_it_is_the_distributions_and_nothing_is_looked_at(tmp_path: Path, tool: str) -> None:
    found = part(tmp_path, tool)
    assert found.system
    assert found.chain == ()
    assert found == part(tmp_path, tool, "*")


@pytest.mark.parametrize(
    ("base", "tool", "version", "expected"),
    [
        (DEBIAN, "python", "3.11", (("python3", "python3-venv"), (), ())),
        (DEBIAN, "node", "18 || 20", (("nodejs", "npm"), (), ())),
        (DEBIAN, "go", "^1.19", (("golang-go",), (), ())),
        (DEBIAN, "rust", ">=1.70", (("rustc-web", "cargo-web"), (), ())),
        (TRIXIE, "rust", ">=1.70", (("rustc", "cargo"), (), ())),
        (DEBIAN, "ruby", "~> 3.1", (("ruby-full",), (), ())),
        (DEBIAN, "php", "8.2", (("php-cli",), (), ())),
        (DEBIAN, "c", "12", (("gcc", "g++", "libc6-dev", "make"), (), ())),
        (DEBIAN, "c", "11", (("gcc-11", "g++-11", "libc6-dev", "make"), (), (("CC", "gcc-11"), ("CXX", "g++-11")))),
        (
            DEBIAN,
            "java",
            "17",
            (
                ("default-jdk-headless",),
                ("/usr/lib/jvm/java-17-openjdk-amd64/bin",),
                (("JAVA_HOME", "/usr/lib/jvm/java-17-openjdk-amd64"),),
            ),
        ),
        (
            TRIXIE,
            "java",
            "25",
            (
                ("openjdk-25-jdk-headless",),
                ("/usr/lib/jvm/java-25-openjdk-amd64/bin",),
                (("JAVA_HOME", "/usr/lib/jvm/java-25-openjdk-amd64"),),
            ),
        ),
        (SID, "go", "1.26", (("golang-1.26-go",), ("/usr/lib/go-1.26/bin",), ())),
        (SID, "python", "3.13", (("python3.13", "python3.13-venv"), ("/opt/python/bin",), ())),
    ],
)
def test_the_distribution_brings_it(tmp_path: Path, base: BaseImage, tool: str, version: str, expected: object) -> None:
    found = part(tmp_path, tool, version, base)
    assert (found.system, found.path, found.env) == expected
    check = only_step(found)
    assert f"the profile asks for {version}" in check.script
    assert "exit 78" in check.script
    assert not check.network
    assert check.key == f"packages.{tool}"


@pytest.mark.parametrize(("tool", "version", "answer"), FETCHED)
def test_what_the_distribution_lacks_is_asked_for_and_then_fetched(
    tmp_path: Path, tool: str, version: str, answer: tuple[str, ...]
) -> None:
    asking = part(tmp_path, tool, version)
    question = only_question(asking)
    assert question.key == f"{tool}.toolchain"
    known = answered(question, *answer)
    found = part(tmp_path, tool, version, lock=known)
    step = only_step(found)
    values = dict(line.split("=", 1) for line in answer)
    assert step.name.endswith(f" {values.pop('version')}")
    assert [value for name, value in values.items() if name != "source" and value not in step.script] == []
    assert (found.system, found.path, found.env) == (asking.system, asking.path, asking.env)
    assert found.path[0].startswith("/opt/")
    assert set(step.caches) == set(question.caches)


@pytest.mark.parametrize(("tool", "version", "answer"), FETCHED)
def test_an_answer_that_is_none_is_asked_for_again(
    tmp_path: Path, tool: str, version: str, answer: tuple[str, ...]
) -> None:
    question = only_question(part(tmp_path, tool, version))
    wrong = [
        answer[1:],  # no version
        answer[:-1],  # no hash
        ("version=99.0.0", *answer[1:]),  # one that is not asked for
        ("version=$(id)", *answer[1:]),
        (*answer[:-1], answer[-1] + "'; id; '"),
    ]
    for lines in wrong:
        assert isinstance(part(tmp_path, tool, version, lock=answered(question, *lines)).chain[-1], Question), lines
    stale = replace(question, asked="0" * 64)
    assert isinstance(part(tmp_path, tool, version, lock=answered(stale, *answer)).chain[-1], Question)


def test_the_same_range_in_other_words_is_the_same_question(tmp_path: Path) -> None:
    asked = [only_question(part(tmp_path, "node", text)).asked for text in ("22", "^22", "22.x", ">=22 <23", "22.1")]
    assert len(set(asked[:4])) == 1
    assert asked[4] != asked[0]


def test_what_the_profile_says_of_mirrors_counts(tmp_path: Path) -> None:
    env = {"UV_PYTHON_INSTALL_MIRROR": "http://mirror.example/it's", "GREETING": "hello"}
    script = only_question(part(tmp_path, "python", "3.10", env=env)).script
    assert """export 'UV_PYTHON_INSTALL_MIRROR=http://mirror.example/it'"'"'s'""" in script
    assert "GREETING" not in script
    given = part(tmp_path, "node", "22", secrets={"NPM_TOKEN": {"env": "NPM_TOKEN"}, "OTHER": {"env": "OTHER"}})
    assert only_question(given).secrets == ("NPM_TOKEN",)


@pytest.mark.parametrize(
    ("tool", "version", "message", "hint"),
    [
        ("java", "21", "debian:12 holds Java 17, not 21", 'write base.image = "debian:13"'),
        ("java", "8", "debian:12 holds Java 17, not 8", 'write base.image = "ubuntu:22.04"'),
        ("php", "^8.3", "debian:12 holds PHP 8.2, not ^8.3", 'write base.image = "debian:13"'),
        ("ruby", "9", "debian:12 holds Ruby 3.1.2, not 9", 'write version = "3.1.2", or leave it out'),
        ("c", "14", "debian:12 holds GCC 12.2 and 11.3, not 14", 'write base.image = "debian:13"'),
    ],
)
def test_what_nobody_brings_is_refused_with_what_there_is(
    tmp_path: Path, tool: str, version: str, message: str, hint: str
) -> None:
    with pytest.raises(ToolchainError) as caught:
        part(tmp_path, tool, version)
    assert caught.value.message == message
    assert hint in str(caught.value.hint)
    assert caught.value.problems[0].key == f"packages.{tool}.version"
    assert "debian:13: " in str(caught.value.detail)
    assert caught.value.exit_status == 2


@pytest.mark.parametrize("tool", ["node", "go", "python", "rust"])
def test_a_processor_for_which_nobody_builds_is_refused_at_once(tmp_path: Path, tool: str) -> None:
    with pytest.raises(ToolchainError, match="not 0"):
        part(tmp_path, tool, "0.1", replace(DEBIAN, architecture="riscv64"))


@pytest.mark.parametrize(
    ("base", "packages"),
    [(ALPINE, ("nodejs", "npm")), (FEDORA, ("nodejs", "npm")), (UNKNOWN, ()), (replace(DEBIAN, version="99"), None)],
)
def test_on_a_base_that_the_table_does_not_have_the_step_looks(
    tmp_path: Path, base: BaseImage, packages: tuple[str, ...] | None
) -> None:
    found = part(tmp_path, "node", "^20", base)
    assert found.system == (("nodejs", "npm") if packages is None else packages)
    assert "this base has Node.js $have, the profile asks for ^20" in only_step(found).script


def test_where_devbox_can_install_nothing_it_looks_whether_it_is_there(tmp_path: Path) -> None:
    (link,) = part(tmp_path, "go", None, UNKNOWN).chain
    assert isinstance(link, Step)
    assert "this base has no Go, and devbox does not know how to install it here" in link.script


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("1.80", "1.80"),
        ("1.80.1", "1.80.1"),
        (">=1.70", "stable"),
        ("^1.70", "stable"),
        (">=1.70,<1.80", "1.79"),
        ("~1.75", "1.75"),
    ],
)
def test_rustup_is_asked_for_the_newest_that_will_do(text: str, name: str) -> None:
    assert channel(parse(text)) == name
