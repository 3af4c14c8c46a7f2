"""What projects without [project] say that they need, in the words that all tools know."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from devbox.build.declared.conda import read_environment
from devbox.build.declared.pipfile import read_pipfile
from devbox.build.declared.poetry import PoetryProject, constraint, python_marker
from devbox.build.declared.setuptools import dynamic_files, read_setup_cfg, read_setup_py
from devbox.build.locks.exact import toml
from devbox.build.requirements import UnusableError

NUMBER = st.integers(0, 30)


@pytest.mark.parametrize(
    ("written", "means"),
    [
        ("^1.2.3", ">=1.2.3,<2.0.0"),
        ("^1.2", ">=1.2,<2.0"),
        ("^1", ">=1,<2"),
        ("^0.2.3", ">=0.2.3,<0.3.0"),
        ("^0.0.3", ">=0.0.3,<0.0.4"),
        ("^0.0", ">=0.0,<0.1"),
        ("^0", ">=0,<1"),
        ("~1.2.3", ">=1.2.3,<1.3.0"),
        ("~1.2", ">=1.2,<1.3"),
        ("~1", ">=1,<2"),
        ("*", ""),
        ("1.2.*", "==1.2.*"),
        ("1.2.3", "==1.2.3"),
        (">= 1.2, < 1.5", ">=1.2,<1.5"),
        (">=1.2 <1.5", ">=1.2,<1.5"),
        ("~=1.4.2", "~=1.4.2"),
    ],
)
def test_constraints_of_poetry_in_the_words_of_all(written: str, means: str) -> None:
    assert constraint(written) == means
    assert SpecifierSet(constraint(written)) is not None


@given(st.lists(NUMBER, min_size=1, max_size=3), st.sampled_from("^~"))
def test_a_caret_and_a_tilde_hold_their_own_version_and_end(numbers: list[int], sign: str) -> None:
    version = ".".join(map(str, numbers))
    specifier = SpecifierSet(constraint(sign + version))
    assert version in specifier
    assert f"{numbers[0] + 1}.0.0" not in specifier
    padded = [*numbers, 0, 0][:3]
    assert f"{padded[0]}.{padded[1]}.{padded[2]}.1" in specifier


def test_a_constraint_on_python_is_a_marker() -> None:
    assert python_marker("^3.8") == 'python_version >= "3.8" and python_version < "4.0"'
    assert python_marker("~2.7 || ^3.6.1") == (
        '(python_version >= "2.7" and python_version < "2.8") or '
        '(python_full_version >= "3.6.1" and python_full_version < "4.0.0")'
    )
    assert python_marker("*") == ""


POETRY = """
[tool.poetry.dependencies]
python = "^3.9"
web = {version = "^2", extras = ["socks"], python = "<3.12"}
code = {git = "https://code.example/x.git", tag = "v1"}
cli = {version = "*", optional = true}
[tool.poetry.extras]
cli = ["cli"]
[tool.poetry.group.dev.dependencies]
checker = ">=1"
"""


def test_a_poetry_project_without_a_lock_has_requirements() -> None:
    project = PoetryProject(data=toml(POETRY))
    assert project.default_groups == ("dev",)
    found = project.requirements(extras=["cli"], groups=["dev"])
    assert found == (
        'web[socks]>=2,<3 ; python_version < "3.12"',
        "code @ git+https://code.example/x.git@v1",
        "cli",
        "checker>=1",
    )
    assert [Requirement(each).name for each in found] == ["web", "code", "cli", "checker"]
    with pytest.raises(UnusableError, match="no group docs"):
        project.requirements(extras=[], groups=["docs"])


@pytest.mark.parametrize("value", ['{path = "../lib"}', '"^1 || ^2"', '"one"'])
def test_what_has_no_such_form_is_said(value: str) -> None:
    project = PoetryProject(data=toml(f"[tool.poetry.dependencies]\nweb = {value}\n"))
    with pytest.raises(UnusableError):
        project.requirements(extras=[], groups=[])


def test_setup_cfg_declares() -> None:
    text = "[options]\ninstall_requires =\n    web>=1\n    old; python_version < '3.8'  # why\n"
    text += "[options.extras_require]\ntest = checker\n"
    found = read_setup_cfg(text)
    assert found is not None
    assert found.wanted(["test"]) == ("web>=1", "old; python_version < '3.8'", "checker")
    with pytest.raises(UnusableError, match="no extra docs; there are: test"):
        found.wanted(["docs"])
    assert read_setup_cfg("[metadata]\nname = shop\n") is None
    assert read_setup_cfg("[options]\ninstall_requires = file: requirements.txt\n") is None
    with pytest.raises(UnusableError):
        read_setup_cfg("no section\n")


SETUP = """
from setuptools import setup
REQUIRES = ["web>=1"]
setup(name="shop", install_requires=REQUIRES + ["old"], extras_require={"test": ["checker"]})
"""


def test_setup_py_declares_plain_lists() -> None:
    found = read_setup_py(SETUP)
    assert found is not None
    assert found.wanted(["test"]) == ("web>=1", "old", "checker")


@pytest.mark.parametrize(
    "text",
    [
        "from setuptools import setup\nsetup(name='shop')\n",
        "from setuptools import setup\nsetup(install_requires=open('r.txt').read().split())\n",
        "from setuptools import setup\nsetup(**values)\n",
        SETUP + "setup()\n",
        SETUP.replace("setup(name", "REQUIRES.append('x')\nsetup(name"),
        SETUP.replace("setup(name", "if True:\n    REQUIRES = []\nsetup(name"),
        "not python at all\n",
        "",
    ],
)
def test_a_setup_py_whose_program_decides_is_not_guessed(text: str) -> None:
    assert read_setup_py(text) is None


def test_files_that_setuptools_reads_are_named() -> None:
    text = '[tool.setuptools.dynamic]\ndependencies = {file = "requirements.txt"}\n'
    text += 'optional-dependencies.test = {file = ["a.txt", "b.txt"]}\n'
    assert dynamic_files(toml(text), []) == ("requirements.txt",)
    assert dynamic_files(toml(text), ["test"]) == ("requirements.txt", "a.txt", "b.txt")
    assert dynamic_files({}, []) is None


def test_of_condas_file_the_pip_section_is_taken() -> None:
    text = (
        "name: x\ndependencies:\n  - python=3.11\n  - numpy\n  - pip:\n    - web>=1  # why\n    - 'old<2'\n  - curl\n"
    )
    assert read_environment(text) == ("web>=1", "old<2")
    assert read_environment("pip:\n  - web\n") == ()


def test_a_pipfile_without_a_lock_has_requirements() -> None:
    text = '[packages]\nweb = {version = ">=1", extras = ["socks"], markers = "os_name == \'posix\'"}\nold = "*"\n'
    text += '[dev-packages]\nchecker = "==1.0"\n'
    assert read_pipfile(text) == ("web[socks]>=1 ; os_name == 'posix'", "old")
    assert read_pipfile(text, groups=["dev"])[-1] == "checker==1.0"
    with pytest.raises(UnusableError, match="path"):
        read_pipfile('[packages]\nlib = {path = "lib"}\n')
