"""The agent's program, as a wheel brings it and as it is compiled."""

import os
import platform
import shutil
import stat
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from devbox.agent import program, wire
from scripts.build_agent import AgentBuildHook
from tests.support.tree import PACKAGE, ROOT
from tests.support.wheel import build, our_wheel

pytestmark = pytest.mark.wheel
MOST = 115 * 1000  # bytes of one program, of which a machine's start and its line are 16,000
ELF_MACHINES = {"x86_64": 62, "aarch64": 183}


@pytest.fixture(scope="module")
def wheel() -> Path:
    return our_wheel()


def programs(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if name.startswith("devbox/agent/bin/")}


def test_a_wheel_is_for_every_machine_and_brings_every_program(wheel: Path) -> None:
    assert wheel.name.endswith("-py3-none-any.whl")
    found = programs(wheel)
    assert set(found) == {f"devbox/agent/bin/agent-{architecture}" for architecture in ELF_MACHINES}
    for architecture, machine in ELF_MACHINES.items():
        data = found[f"devbox/agent/bin/agent-{architecture}"]
        assert (data[:4], int.from_bytes(data[18:20], "little")) == (b"\x7fELF", machine)
        assert len(data) <= MOST


def segments(data: bytes) -> list[int]:
    """Return the types of a 64-bit ELF file's segments."""
    start, size, count = (int.from_bytes(data[a:b], "little") for a, b in ((32, 40), (54, 56), (56, 58)))
    return [int.from_bytes(data[at : at + 4], "little") for at in range(start, start + size * count, size)]


def test_the_programs_need_no_library(wheel: Path) -> None:
    for data in programs(wheel).values():
        assert 1 in segments(data)  # PT_LOAD
        assert not {2, 3} & set(segments(data))  # PT_DYNAMIC, PT_INTERP


def test_what_pip_installs_is_executable_and_what_the_sources_beside_it_say(wheel: Path, tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", str(tmp_path)]
    subprocess.run([*argv, str(wheel)], check=True, capture_output=True)
    script = (
        f"import os, sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from devbox.agent import program\n"
        "for name in program.ARCHITECTURES: print(program.binary(name))\n"
        "print(program.build_id())\n"
    )
    environment = {"PATH": "", "HOME": str(tmp_path / "nowhere")}
    argv = [sys.executable, "-I", "-c", script]
    *paths, build_id = subprocess.run(argv, env=environment, check=True, capture_output=True, text=True).stdout.split()
    for architecture, path in zip(program.ARCHITECTURES, paths, strict=True):
        assert Path(path) == tmp_path / "devbox" / "agent" / "bin" / f"agent-{architecture}"
        assert stat.S_IMODE(Path(path).stat().st_mode) == 0o755
        assert build_id.encode() in Path(path).read_bytes()
    assert not (tmp_path / "nowhere").exists()
    ours = tmp_path / "devbox" / "agent" / "bin" / program.name(platform.machine())
    said = subprocess.run([ours, "version"], check=True, capture_output=True, text=True).stdout
    assert said == f"{wire.VERSION} {build_id}\n"


def test_an_sdist_has_no_program_and_its_wheel_has_the_same(wheel: Path, tmp_path: Path) -> None:
    sdist = build("sdist", ROOT, tmp_path / "an sdist")
    with tarfile.open(sdist) as archive:
        assert not [name for name in archive.getnames() if "agent/bin" in name]
    (tmp_path / "a tree").mkdir()
    subprocess.run(["tar", "-xzf", sdist, "-C", tmp_path / "a tree"], check=True)
    tree = next((tmp_path / "a tree").iterdir())
    before = {path for path in tree.rglob("*") if "__pycache__" not in path.parts}
    assert programs(build("wheel", tree, tmp_path / "its wheel")) == programs(wheel)
    assert {path for path in tree.rglob("*") if "__pycache__" not in path.parts} == before


def test_an_editable_install_takes_no_program_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    nothing: SimpleNamespace = SimpleNamespace()  # neither its settings nor the project's are asked
    hook = AgentBuildHook(str(ROOT), {}, nothing, nothing, str(tmp_path), "wheel")  # type: ignore[arg-type]
    data: dict[str, object] = {"force_include": {}}
    hook.initialize("editable", data)
    hook.finalize("editable", data, "")
    assert data == {"force_include": {}}


@pytest.mark.nightly
def test_compiled_elsewhere_by_another_cache_it_is_the_same(tmp_path: Path) -> None:
    found = []
    for name, umask in (("one", 0o022), ("another directory", 0o077)):
        home = tmp_path / name
        shutil.copytree(PACKAGE, home / "devbox", ignore=shutil.ignore_patterns("__pycache__", "bin"))
        environment = {**os.environ, "PYTHONPATH": str(home), "XDG_CACHE_HOME": str(home / "cache")}
        script = "from devbox.agent import program; print(*map(program.binary, program.ARCHITECTURES), sep='\\n')"
        argv = [sys.executable, "-P", "-c", script]
        done = subprocess.run(argv, cwd=home, env=environment, umask=umask, check=True, capture_output=True, text=True)
        paths = [Path(line) for line in done.stdout.splitlines()]
        assert all(path.is_relative_to(home / "cache") for path in paths)
        found.append([path.read_bytes() for path in paths])
    assert found[0] == found[1]
