import zipfile
from pathlib import Path

import pytest

from devbox import __version__
from tests.support.tree import PACKAGE, ROOT
from tests.support.wheel import our_wheel

pytestmark = pytest.mark.wheel


@pytest.fixture(scope="module")
def wheel() -> Path:
    return our_wheel()


def test_the_wheel_has_all_that_the_package_reads(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"devbox/py.typed", "devbox/data/schema.json"} <= names
    for directory in (ROOT / "profiles").iterdir():
        for name in ("devbox.toml", "README.md", "verify"):
            assert f"devbox/data/profiles/{directory.name}/{name}" in names
    modules = {str(path.relative_to(ROOT)) for path in PACKAGE.rglob("*.py")}
    assert modules <= names


def test_the_wheel_has_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    command = f"devbox_env-{__version__}.data/scripts/devbox"
    tops = {name.split("/")[0] for name in names if name != command}
    assert tops == {"devbox", f"devbox_env-{__version__}.dist-info"}
    assert command in names
    assert not [name for name in names if "__pycache__" in name]
