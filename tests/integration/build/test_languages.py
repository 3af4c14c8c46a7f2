"""A small project per language on Debian: its tests run without a network, and no build reaches the host."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.account import ordinary
from tests.support.command import Devbox
from tests.support.languages import write
from tests.support.project import project

pytestmark = [pytest.mark.docker, pytest.mark.network]


@dataclass(frozen=True, kw_only=True)
class Case:
    """`tests`: a shell command that needs no network; it says "one" before an edit of `source`, and "two" after it."""

    language: str
    files: Mapping[str, str]
    source: str
    tests: str


GO = Case(
    language="go",
    files={
        "go.mod": "module example.org/shop\n\ngo 1.19\n\nrequire golang.org/x/text v0.3.8\n",
        "go.sum": (
            "golang.org/x/text v0.3.8 h1:nAL+RVCQ9uMn3vJZbV+MRnydTJFPf8qqY42YiA6MrqY=\n"
            "golang.org/x/text v0.3.8/go.mod h1:E6s5w1FMmriuDzIBO73fBruAKo1PCIq6d2Q6DHfQ8WQ=\n"
        ),
        "shop.go": 'package shop\n\nconst Word = "one"\n',
        "shop_test.go": (
            'package shop\n\nimport (\n\t"testing"\n\n\t"golang.org/x/text/language"\n)\n\n'
            "func TestWord(t *testing.T) {\n\tt.Log(Word, language.English)\n}\n"
        ),
    },
    source="shop.go",
    tests="GOPROXY=off go test -v ./... && go build -o ~/.cache/shop .",
)
C = Case(
    language="c",
    files={
        "CMakeLists.txt": (
            "cmake_minimum_required(VERSION 3.18)\nproject(shop C)\nenable_testing()\n"
            "add_executable(shop shop.c)\nadd_test(NAME shop COMMAND shop)\n"
        ),
        "shop.c": '#include <stdio.h>\n\nint main(void) { puts("one"); return 0; }\n',
    },
    source="shop.c",
    tests="cmake -G Ninja -B build && cmake --build build && ctest --test-dir build -V",
)
RUST = Case(
    language="rust",
    files={
        "Cargo.toml": ('[workspace]\nmembers = ["crates/*"]\nresolver = "2"\n\n[workspace.dependencies]\nitoa = "1"\n'),
        "crates/shop/Cargo.toml": (
            '[package]\nname = "shop"\nversion = "0.1.0"\nedition = "2021"\n\n[dependencies]\nitoa.workspace = true\n\n'
            "[target.'cfg(windows)'.dependencies]\nwinapi = \"0.3\"\n"
        ),
        "crates/shop/src/lib.rs": ('#[test]\nfn word() {\n    println!("one {}", itoa::Buffer::new().format(1));\n}\n'),
        ".gitignore": "Cargo.lock\n",
    },
    source="crates/shop/src/lib.rs",
    tests="cargo test -- --nocapture && rm Cargo.lock",
)
JAVA = Case(
    language="java",
    files={
        "pom.xml": (
            '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>\n'
            "<groupId>org.example</groupId><artifactId>shop</artifactId><version>1.0</version>\n"
            "<properties><maven.compiler.source>17</maven.compiler.source>\n"
            "<maven.compiler.target>17</maven.compiler.target>\n"
            "<project.build.sourceEncoding>UTF-8</project.build.sourceEncoding></properties>\n"
            "<dependencies><dependency><groupId>junit</groupId><artifactId>junit</artifactId>\n"
            "<version>4.13.2</version><scope>test</scope></dependency></dependencies></project>\n"
        ),
        "src/test/java/ShopTest.java": (
            "import org.junit.Test;\n\npublic class ShopTest {\n"
            '    @Test public void word() { System.out.println("one"); }\n}\n'
        ),
    },
    source="src/test/java/ShopTest.java",
    tests="mvn -o -B clean test",
)
CASES = [
    pytest.param(GO, id="go", marks=pytest.mark.nightly),  # by day a real project in Go is tested: tests/real
    pytest.param(C, id="c", marks=pytest.mark.nightly),
    pytest.param(RUST, id="rust", marks=pytest.mark.nightly),
    pytest.param(JAVA, id="java", marks=pytest.mark.nightly),
]


@pytest.fixture
def devbox() -> Iterator[Devbox]:
    with project(ordinary()) as made:
        yield made


def files(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*") if not path.is_dir()}


@pytest.mark.parametrize("case", CASES)
def test_the_tests_of_a_project_run_inside_and_a_source_edit_rebuilds_nothing(devbox: Devbox, case: Case) -> None:
    profile = f'[base]\nimage = "debian:12"\n[packages]\n{case.language} = {{}}\n'
    write(devbox.directory, {**case.files, "devbox.toml": profile})
    devbox("up")
    assert "one" in devbox("exec", "--", "sh", "-c", case.tests).stdout
    before = devbox.json("status")

    write(devbox.directory, {case.source: case.files[case.source].replace("one", "two")})
    assert "nothing to do" in devbox("up").stdout
    assert "two" in devbox("exec", "--", "sh", "-c", case.tests).stdout

    after = devbox.json("status")
    assert (after["instance"], after["image"]) == (before["instance"], before["image"])
    assert files(devbox.directory) == {*case.files, "devbox.toml", "devbox.lock"}
