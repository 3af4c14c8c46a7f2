"""The installed command, however it was installed: it starts isolated, from a path with a space, through a link."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.skips import NOT_HERE
from tests.support.tree import ROOT
from tests.support.wheel import our_wheel

pytestmark = pytest.mark.network
SYSTEM_PYTHON = "/usr/bin/python3"


class Shop:
    """A directory with a wheel, and the tools that install it; what they fetch is kept between them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.caches = {
            "PIP_CACHE_DIR": str(directory / "pip cache"),
            "UV_CACHE_DIR": str(directory / "uv cache"),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }
        self.wheel = str(our_wheel())
        self.tools = directory / "the tools"
        self.run(sys.executable, "-m", "venv", str(self.tools))

    def tool(self, name: str) -> str:
        """Return the path of pip, or of a tool of the package index."""
        path = self.tools / "bin" / name
        if not path.exists():
            self.run(str(self.tools / "bin" / "pip"), "install", "-q", name)
        return str(path)

    def run(self, *argv: str, cwd: Path | None = None, **variables: str) -> None:
        """Run a program; its failure is the test's."""
        environment = {**os.environ, **self.caches, **variables}
        done = subprocess.run(argv, cwd=cwd, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"


def by_pip(shop: Shop, home: Path) -> Path:
    shop.run(sys.executable, "-m", "venv", "--without-pip", str(home / "venv"))
    shop.run(shop.tool("pip"), "--python", str(home / "venv" / "bin" / "python"), "install", "-q", shop.wheel)
    return home / "venv" / "bin" / "devbox"


def by_pip_editable(shop: Shop, home: Path) -> Path:
    """Install a copy of the sources, since the suite itself runs from these."""
    argv = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(argv, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    for name in names:
        if (ROOT / name).is_file():
            (home / "the sources" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, home / "the sources" / name)
    shop.run(sys.executable, "-m", "venv", "--without-pip", str(home / "venv"))
    python = str(home / "venv" / "bin" / "python")
    shop.run(shop.tool("pip"), "--python", python, "install", "-q", "-e", str(home / "the sources"))
    return home / "venv" / "bin" / "devbox"


def by_pipx(shop: Shop, home: Path) -> Path:
    shop.run(
        shop.tool("pipx"),
        "install",
        shop.wheel,
        HOME=str(home),
        PIPX_HOME=str(home / "the tools"),
        PIPX_BIN_DIR=str(home / "bin"),
    )
    return home / "bin" / "devbox"


def by_uv(shop: Shop, home: Path) -> Path:
    shop.run(
        shop.tool("uv"),
        "tool",
        "install",
        shop.wheel,
        HOME=str(home),
        UV_TOOL_DIR=str(home / "the tools"),
        UV_TOOL_BIN_DIR=str(home / "bin"),
        UV_PYTHON=sys.executable,
    )
    return home / "bin" / "devbox"


def by_pip_user(shop: Shop, home: Path) -> Path:
    if not Path(SYSTEM_PYTHON).exists():
        pytest.skip(f"{NOT_HERE}there is no {SYSTEM_PYTHON}")
    shop.run(
        shop.tool("pip"),
        "--python",
        SYSTEM_PYTHON,
        "install",
        "-q",
        "--user",
        "--break-system-packages",
        shop.wheel,
        HOME=str(home),
        PYTHONUSERBASE=str(home / ".local"),
    )
    return home / ".local" / "bin" / "devbox"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop(tmp_path_factory.mktemp("a shop"))


# What sets the suite up has installed it by pip -e already.
# By day one of those that have an environment of their own stands for the others.
WAYS = [
    by_pip,
    *(pytest.param(way, marks=pytest.mark.nightly) for way in (by_pip_editable, by_pipx)),
    by_uv,
    by_pip_user,
]


@pytest.fixture(scope="module", params=WAYS)
def command(request: pytest.FixtureRequest, shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    install: Callable[[Shop, Path], Path] = request.param
    home = tmp_path_factory.mktemp("a home")
    yield install(shop, home)
    shutil.rmtree(home)


def output(*argv: str | Path, cwd: Path, **variables: str) -> str:
    """Return what it wrote to stdout; it must end well and say nothing else."""
    done = subprocess.run(argv, cwd=cwd, env={**os.environ, **variables}, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_it_runs(command: Path, shop: Shop, tmp_path: Path) -> None:
    away = shop.tools.rename(shop.directory / "away")  # what was installed stands on its own
    try:
        for words in (["--version"], ["schema"], ["--help"], ["completion", "bash"]):
            assert output(command, *words, cwd=tmp_path)
    finally:
        away.rename(shop.tools)


def test_it_runs_by_its_name_and_through_links(command: Path, tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to(command)
    (tmp_path / "devbox").symlink_to("one")
    path = f"{tmp_path}:{os.environ['PATH']}"
    assert output("/bin/sh", "-c", "devbox --version", cwd=tmp_path, PATH=path).startswith("devbox ")
    assert output("./devbox", "--version", cwd=tmp_path).startswith("devbox ")
    assert output("/bin/sh", "devbox", "--version", cwd=command.parent).startswith("devbox ")


def test_nothing_of_the_directory_or_of_pythons_variables_gets_in(command: Path, tmp_path: Path) -> None:
    for name in ("devbox", "typer", "sitecustomize", "usercustomize", "os"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(99)")
    shown = output(command, "--version", cwd=tmp_path, PYTHONPATH=str(tmp_path), PYTHONVERBOSE="1", PYTHONHOME="/nope")
    assert shown.startswith("devbox ")


def test_a_failure_keeps_its_exit_code_and_its_words(command: Path, tmp_path: Path) -> None:
    done = subprocess.run([command, "exec"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error[usage]: no command given")


def test_the_agent_is_there_without_a_compiler(command: Path, tmp_path: Path) -> None:
    python = command.resolve().parent / "python3"
    script = """if True:
        import importlib.util, os
        from devbox.agent import program
        assert importlib.util.find_spec("ziglang") is None
        print(program.binary(os.uname().machine), program.build_id())
    """
    by_user = {} if python.exists() else {"PYTHONUSERBASE": str(command.parents[1])}
    shown = output(python if python.exists() else SYSTEM_PYTHON, "-c", script, cwd=tmp_path, **by_user)
    agent, _, build = shown.strip().rpartition(" ")
    assert output(agent, "version", cwd=tmp_path).split()[1] == build
