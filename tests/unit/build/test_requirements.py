"""What devbox understands of requirement files and pyproject.toml."""

import pytest

from devbox.build.requirements import UnusableError, read_pyproject, read_requirements, split_reference


def test_includes_are_found_in_every_spelling() -> None:
    text = "-r a.txt\n-rb.txt\n--requirement=c.txt\n-c  d.txt # why\n--constraint e.txt\nflask\n# -r no.txt\n"
    found = read_requirements(text)
    assert found.includes == ((1, "a.txt"), (2, "b.txt"), (3, "c.txt"), (4, "d.txt"), (5, "e.txt"))
    assert not found.hashed


def test_an_address_is_left_to_pip() -> None:
    assert read_requirements("-r https://files.example/r.txt\n").includes == ()


def test_hashes_are_seen_on_continued_lines() -> None:
    assert read_requirements("flask==3.0 \\\n    --hash=sha256:aa\n").hashed


@pytest.mark.parametrize(
    "line", ["-e .", "--editable=.", ".", ".[test]", "./lib", "../lib", "/srv/lib", "file:///x", "-f ./w"]
)
def test_sources_are_refused_with_their_line_and_a_way_out(line: str) -> None:
    with pytest.raises(UnusableError) as caught:
        read_requirements(f"flask\n{line}\n")
    assert caught.value.line == 2
    assert "editable" in str(caught.value.hint)


@pytest.mark.parametrize(
    "line", ["flask", "-i https://x.example/simple", "--find-links https://x.example", "x @ https://y.example/z.whl"]
)
def test_ordinary_lines_are_accepted(line: str) -> None:
    read_requirements(line)


def test_references_to_pyproject() -> None:
    assert split_reference("pyproject.toml") == ("pyproject.toml", None)
    assert split_reference("lib/pyproject.toml[test]") == ("lib/pyproject.toml", "test")
    assert split_reference("requirements.txt") is None


PYPROJECT = """
[project]
name = "My_Shop"
dependencies = ["flask>=3", "click"]
[project.optional-dependencies]
test = ["pytest", "my-shop[lint]"]
lint = ["ruff"]
[dependency-groups]
dev = ["mypy", {include-group = "docs"}]
docs = ["sphinx"]
loop = [{include-group = "loop"}]
"""


def test_dependencies_and_extras_and_groups() -> None:
    project = read_pyproject(PYPROJECT)
    assert project.static
    assert project.requirements() == ("flask>=3", "click")
    assert project.requirements("test") == ("flask>=3", "click", "pytest", "ruff")
    assert project.requirements("dev") == ("flask>=3", "click", "mypy", "sphinx")


@pytest.mark.parametrize(("extra", "words"), [("nope", "dev, docs, lint, loop, test"), ("loop", "includes itself")])
def test_an_unusable_group_says_why(extra: str, words: str) -> None:
    with pytest.raises(UnusableError, match=words):
        read_pyproject(PYPROJECT).requirements(extra)


def test_dynamic_dependencies_cannot_be_read() -> None:
    assert not read_pyproject('[project]\nname = "x"\ndynamic = ["dependencies"]').static
    assert not read_pyproject("[tool.x]").static


@pytest.mark.parametrize("text", ["[project", "a = 1\na = 2", "[project]\ndependencies = 'x'"])
def test_a_broken_pyproject_is_an_error_and_no_traceback(text: str) -> None:
    with pytest.raises(UnusableError):
        read_pyproject(text).requirements()


def test_a_line_break_in_a_requirement_cannot_end_the_here_document() -> None:
    with pytest.raises(UnusableError, match="line break"):
        read_pyproject('[project]\nname="x"\ndependencies = ["a\\ndevbox-end\\nid"]').requirements()
