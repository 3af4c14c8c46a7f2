import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from devbox import __version__
from tests.support.tree import PACKAGE, ROOT

pytestmark = pytest.mark.wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("a wheel")
    argv = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)]
    subprocess.run(argv, cwd=ROOT, check=True, capture_output=True)
    return next(directory.glob("*.whl"))


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


@pytest.mark.network
@pytest.mark.parametrize("tool", ["uv", "pipx"])
def test_it_installs_as_a_tool_and_runs(tool: str, wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "a home"
    home.mkdir()
    subprocess.run([sys.executable, "-m", "venv", home / "venv"], check=True)
    subprocess.run([home / "venv/bin/pip", "install", "-q", tool], check=True, capture_output=True)
    environment = {
        **os.environ,
        "HOME": str(home),
        "UV_TOOL_DIR": str(home / "tools"),
        "UV_TOOL_BIN_DIR": str(home / "bin"),
        "UV_PYTHON": sys.executable,
        "PIPX_HOME": str(home / "tools"),
        "PIPX_BIN_DIR": str(home / "bin"),
    }
    argv = [str(home / "venv/bin" / tool), *(["tool"] if tool == "uv" else []), "install", str(wheel)]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    shutil.rmtree(home / "venv")  # what was installed stands on its own
    for words in (["--version"], ["schema"], ["--help"]):
        ran = subprocess.run([home / "bin/devbox", *words], env=environment, cwd=home, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr
        assert ran.stdout
