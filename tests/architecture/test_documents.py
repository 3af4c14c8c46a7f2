import importlib
import pkgutil
import re
from pathlib import Path
from urllib.parse import unquote

import pytest

import devbox
from devbox.errors import DevboxError
from tests.support.tree import PACKAGE, ROOT, files_to_be_committed, relative

DOCS = ROOT / "docs"
KINDS = ("added", "changed", "fixed", "removed", "security")


def rooms_in_the_tree() -> set[str]:
    packages = {path.name + "/" for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    return packages | {path.name for path in PACKAGE.glob("*.py") if path.name != "__init__.py"}


def test_the_architecture_page_names_every_room_and_no_other() -> None:
    page = (DOCS / "explanation" / "architecture.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| \S+ \| `([^`]+)` \|", page, re.MULTILINE))
    assert documented == rooms_in_the_tree()


def test_the_architecture_page_names_every_kind_of_test() -> None:
    page = (DOCS / "explanation" / "architecture.md").read_text(encoding="utf-8")
    kinds = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert set(re.findall(r"^\| `tests/(\w+)`", page, re.MULTILINE)) == kinds


def every_error() -> set[type[DevboxError]]:
    for module in pkgutil.walk_packages(devbox.__path__, "devbox."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found: set[type[DevboxError]] = set()
    waiting: list[type[DevboxError]] = [DevboxError]
    while waiting:
        error = waiting.pop()
        found.add(error)
        waiting.extend(error.__subclasses__())
    return {error for error in found if error.__module__.startswith("devbox.")}


def test_every_error_code_is_documented_with_its_exit_code_and_no_other() -> None:
    page = (DOCS / "reference" / "errors.md").read_text(encoding="utf-8")
    documented = dict(re.findall(r"^\| `([a-z-]+)` \| (\d+) \|", page, re.MULTILINE))
    a_bug = {"internal": "1"}  # no class of its own: it is whatever nobody expected
    assert documented == {error.code: str(error.exit_status) for error in every_error()} | a_bug


def links(page: Path) -> list[str]:
    return [link for link in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")) if "://" not in link]


def test_relative_links_lead_somewhere() -> None:
    pages = [path for path in files_to_be_committed() if path.suffix == ".md"]
    assert not [
        f"{relative(page)}: {link}"
        for page in pages
        for link in links(page)
        if not (page.parent / unquote(link)).exists()
    ]


def test_decisions_are_numbered_in_a_row_and_say_why_and_at_what_cost() -> None:
    pages = sorted((DOCS / "explanation" / "decisions").glob("[0-9]*.md"))
    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert re.match(rf"# {int(page.name[:4])}\. \S", text), page.name
        assert re.search(r"^Status: (proposed|accepted|replaced by \d{4})$", text, re.MULTILINE), page.name
        assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Why it came up", "What we do", "What it costs"], (
            page.name
        )


FRAGMENTS = sorted(path.name for path in (ROOT / "changelog.d").iterdir() if path.name != "README.md")


@pytest.mark.parametrize("name", FRAGMENTS)
def test_changelog_fragments_have_a_kind_and_are_short(name: str) -> None:
    assert re.fullmatch(rf"[a-z0-9]+(-[a-z0-9]+)*\.({'|'.join(KINDS)})\.md", name)
    lines = (ROOT / "changelog.d" / name).read_text(encoding="utf-8").splitlines()
    assert 1 <= len(lines) <= 5
    assert not [line for line in lines if not line.strip() or line.startswith("#")]


def directories(parent: str) -> list[Path]:
    return sorted(path for path in (ROOT / parent).iterdir() if path.is_dir())


@pytest.mark.parametrize("directory", directories("profiles"), ids=lambda path: path.name)
def test_a_base_profile_has_its_three_files(directory: Path) -> None:
    assert (directory / "devbox.toml").is_file()
    assert (directory / "README.md").is_file()
    assert (directory / "verify").stat().st_mode & 0o111


@pytest.mark.parametrize("directory", directories("examples"), ids=lambda path: path.name)
def test_an_example_has_a_profile_and_says_how_to_use_it(directory: Path) -> None:
    assert (directory / "devbox.toml").is_file()
    assert "devbox shell" in (directory / "README.md").read_text(encoding="utf-8")


def test_make_help_names_every_chore_that_the_documents_mention() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    chores = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))
    mentioned = {
        chore
        for name in ("README.md", "CONTRIBUTING.md", "docs/tutorial/first-environment.md", ".ci/run")
        for chore in re.findall(
            r"(?:`|^)make(?: --no-print-directory)? ([a-z-]+)", (ROOT / name).read_text(), re.MULTILINE
        )
    }
    assert mentioned
    assert mentioned <= chores


def test_every_test_that_the_safety_page_names_exists_and_every_promise_has_one() -> None:
    page = (DOCS / "explanation" / "safety.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| Promise")]
    assert rows
    for row in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row)
        assert named, f"no test holds: {row}"
        for file, test in named:
            assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8"), f"{file} has no {test}"
