"""Lock files of Python's package managers come to exact lines."""

from typing import Any

import pytest

from devbox.build.declared.poetry import PoetryProject
from devbox.build.locks.exact import toml
from devbox.build.locks.pdm import read_pdm_lock
from devbox.build.locks.pipfile import read_pipfile_lock
from devbox.build.locks.poetry import read_poetry_lock
from devbox.build.locks.pylock import read_pylock
from devbox.build.locks.uv import installable, local_directories
from devbox.build.requirements import UnusableError

ONE, TWO = "sha256:" + "1" * 64, "sha256:" + "2" * 64
PROJECT = """
[tool.poetry]
name = "shop"
[tool.poetry.dependencies]
python = "^3.9"
web = {version = "^2.0", extras = ["socks"]}
old = {version = ">=1", python = "<3.11"}
cli = {version = "*", optional = true}
[tool.poetry.extras]
cli = ["cli"]
[tool.poetry.group.dev.dependencies]
checker = "*"
[tool.poetry.group.docs]
optional = true
[tool.poetry.group.docs.dependencies]
writer = "*"
"""


def package(name: str, more: str = "", *, version: str = "1.0", digest: str = ONE) -> str:
    return f"""
[[package]]
name = "{name}"
version = "{version}"
optional = false
{more}
files = [{{file = "{name}-1.0.tar.gz", hash = "{digest}"}}]
"""


NEW = (
    package("web", 'groups = ["main"]')
    + package(
        "old", 'groups = ["main", "dev"]\nmarkers = {main = "python_version < \\"3.11\\"", dev = "os_name == \\"nt\\""}'
    )
    + package("cli", 'groups = ["main"]\nmarkers = "extra == \\"cli\\""')
    + package("checker", 'groups = ["dev"]')
    + package("writer", 'groups = ["docs"]')
    + '[metadata]\nlock-version = "2.1"\n'
)


def poetry(lock: str, *, extras: tuple[str, ...] = (), groups: tuple[str, ...] = ()) -> tuple[str, ...]:
    return read_poetry_lock(lock, PoetryProject(data=toml(PROJECT)), extras=extras, groups=groups).lines


def test_poetry_installs_its_groups_but_the_optional_ones() -> None:
    assert poetry(NEW) == (
        f"web==1.0 --hash={ONE}",
        f'old==1.0 ; (python_version < "3.11") or (os_name == "nt") --hash={ONE}',
        f'cli==1.0 ; python_version < "0" --hash={ONE}',
        f"checker==1.0 --hash={ONE}",
    )
    assert f"writer==1.0 --hash={ONE}" in poetry(NEW, groups=("docs",))
    assert f'cli==1.0 ; python_version >= "0" --hash={ONE}' in poetry(NEW, extras=("cli",))


OLDER = """
[package.dependencies]
PySocks = {version = ">=1.5", optional = true}
win = {version = "*", markers = "os_name == \\"nt\\""}
[package.extras]
socks = ["PySocks (>=1.5)"]
"""


def test_an_older_poetry_lock_is_walked_from_what_pyproject_asks_for() -> None:
    lock = (
        package("web", OLDER)
        + package("pysocks")
        + package("win")
        + package("old")
        + package("cli")
        + package("checker")
        + package("writer")
        + package("stray")
    )
    lock = _files_first(lock)
    lines = poetry(lock)
    assert f"pysocks==1.0 --hash={ONE}" in lines
    assert f'win==1.0 ; (os_name == "nt") --hash={ONE}' in lines
    assert f'old==1.0 ; (python_version < "3.11") --hash={ONE}' in lines
    assert not any(line.startswith(("cli", "writer", "stray")) for line in lines)
    assert any(line.startswith("cli") for line in poetry(lock, extras=("cli",)))


def _files_first(lock: str) -> str:
    """Put `files` before the tables of a package, where TOML wants it."""
    found = []
    for part in lock.split("[[package]]")[1:]:
        files = next(line for line in part.splitlines() if line.startswith("files"))
        found.append("[[package]]\n" + files + part.replace(files, ""))
    return "\n".join(found)


def test_hashes_at_the_end_of_the_oldest_format_are_found() -> None:
    lock = "".join(f'[[package]]\nname = "{name}"\nversion = "1.0"\n' for name in ("web", "old", "cli", "checker"))
    lock += "[metadata.files]\n" + "".join(
        f'{name} = [{{file = "x", hash = "{TWO}"}}]\n' for name in ("web", "old", "cli", "checker")
    )
    assert f"web==1.0 --hash={TWO}" in poetry(lock)


def test_packages_from_git_an_index_and_the_repo() -> None:
    lock = (
        package("web", f'groups = ["main"]\nfiles = [{{file = "x", hash = "{ONE}"}}]').replace(
            f'files = [{{file = "web-1.0.tar.gz", hash = "{ONE}"}}]',
            '[package.source]\ntype = "legacy"\nurl = "https://index.example/simple"\nreference = "own"',
        )
        + '[[package]]\nname = "old"\nversion = "1.0"\ngroups = ["main"]\nfiles = []\n'
        + '[package.source]\ntype = "git"\nurl = "https://code.example/old.git"\nresolved_reference = "abc123"\n'
        + '[[package]]\nname = "cli"\nversion = "1.0"\ngroups = ["main"]\nfiles = []\n'
        + '[package.source]\ntype = "directory"\nurl = "libs/cli"\n'
    )
    found = read_poetry_lock(lock, PoetryProject(data=toml(PROJECT)))
    assert found.lines == (f"web==1.0 --hash={ONE}", "old @ git+https://code.example/old.git@abc123")
    assert (found.indexes, found.local) == (("https://index.example/simple",), ("libs/cli",))


@pytest.mark.parametrize(
    ("lock", "says"),
    [
        (NEW.replace('name = "web"', 'name = "webs"'), "does not hold web"),
        (package("web") * 2 + package("old") + package("cli"), "several versions"),
        (NEW.replace(ONE, "md5:abc"), "not written as a lock file"),
        (NEW.replace('version = "1.0"', 'version = "1.0 ; x"', 1), "not written as a lock file"),
        ("[[package]\n", "not valid TOML"),
    ],
)
def test_what_is_no_good_lock_file_of_poetry_is_said(lock: str, says: str) -> None:
    with pytest.raises(UnusableError, match=says):
        poetry(lock)


def pipfile_lock(**default: Any) -> str:
    import json

    develop = {"checker": {"hashes": [TWO], "version": "==2.0"}}
    sources = [{"name": "pypi", "url": "https://a.example"}, {"name": "own", "url": "https://b.example"}]
    return json.dumps({"_meta": {"sources": sources}, "default": default, "develop": develop})


def test_pipenv_has_default_packages_and_those_for_development() -> None:
    lock = pipfile_lock(
        web={"hashes": [TWO, ONE], "version": "==1.0", "markers": "python_version >= '3.8'", "extras": ["socks"]},
        old={"version": "*", "markers": "python_version < '3'"},
        code={"git": "https://code.example/x.git", "ref": "abc"},
    )
    found = read_pipfile_lock(lock)
    assert found.lines == (
        f"web==1.0 ; python_version >= '3.8' --hash={ONE} --hash={TWO}",
        "code @ git+https://code.example/x.git@abc",
    )
    assert found.indexes == ("https://b.example",)
    assert read_pipfile_lock(lock, groups=("dev",)).lines[-1] == f"checker==2.0 --hash={TWO}"
    with pytest.raises(UnusableError, match="no version of web"):
        read_pipfile_lock(pipfile_lock(web={"version": "*"}))


PDM = (
    '[metadata]\ngroups = ["default", "dev", "cli"]\nstrategy = ["inherit_metadata"]\nlock_version = "4.5.1"\n'
    + package("web", 'groups = ["default"]')
    + package("web", 'groups = ["default"]\nextras = ["socks"]')
    + package("old", 'groups = ["default"]\nmarker = "python_version < \\"3.11\\""')
    + package("checker", 'groups = ["dev"]')
    + package("cli", 'groups = ["cli"]')
)


def test_pdm_has_groups_and_extras_alike() -> None:
    assert read_pdm_lock(PDM).lines == (
        f"web==1.0 --hash={ONE}",
        f'old==1.0 ; python_version < "3.11" --hash={ONE}',
        f"checker==1.0 --hash={ONE}",
    )
    assert read_pdm_lock(PDM, extras=["cli"]).lines[-1] == f"cli==1.0 --hash={ONE}"
    with pytest.raises(UnusableError, match="holds no group docs; there are: default, dev, cli"):
        read_pdm_lock(PDM, groups=["docs"])
    with pytest.raises(UnusableError, match="for which group"):
        read_pdm_lock(PDM.replace("inherit_metadata", "static"))


PYLOCK = f"""
lock-version = "1.0"
default-groups = ["dev"]
[[packages]]
name = "web"
version = "1.0"
wheels = [{{name = "web-1.0-py3-none-any.whl", hashes = {{sha256 = "{"1" * 64}"}}}}]
[[packages]]
name = "cli"
version = "1.0"
marker = "'cli' in extras"
sdist = {{name = "cli-1.0.tar.gz", hashes = {{sha256 = "{"2" * 64}"}}}}
[[packages]]
name = "checker"
version = "1.0"
marker = "'dev' in dependency_groups and os_name == 'posix'"
sdist = {{name = "checker-1.0.tar.gz", hashes = {{sha256 = "{"2" * 64}"}}}}
[[packages]]
name = "code"
vcs = {{type = "git", url = "https://code.example/x.git", commit-id = "abc"}}
"""


def test_the_common_format_has_its_questions_about_extras_answered() -> None:
    assert read_pylock(PYLOCK).lines == (
        f"web==1.0 --hash={ONE}",
        f'cli==1.0 ; python_version < "0" --hash={TWO}',
        f"checker==1.0 ; python_version >= \"0\" and os_name == 'posix' --hash={TWO}",
        "code @ git+https://code.example/x.git@abc",
    )
    assert f'cli==1.0 ; python_version >= "0" --hash={TWO}' in read_pylock(PYLOCK, extras=["cli"]).lines
    with pytest.raises(UnusableError, match="does not know"):
        read_pylock('lock-version = "9.0"')


def test_the_directories_of_a_uv_lock_are_known() -> None:
    lock = 'version = 1\n[[package]]\nname = "shop"\nsource = {virtual = "."}\n'
    lock += '[[package]]\nname = "lib"\nsource = {editable = "libs/lib"}\n'
    lock += '[[package]]\nname = "web"\nsource = {registry = "https://index.example"}\n'
    assert local_directories(lock) == (".", "libs/lib")
    assert installable(lock) == ("libs/lib",)
    with pytest.raises(UnusableError, match="not a lock file of uv"):
        local_directories("a = 1\n")
