"""Where the agent's program comes from, and what is said when there is none."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from devbox.agent import program
from devbox.errors import AgentError, CommandFailedError
from devbox.process import Completed
from tests.fakes.processes import Call, FakeProcesses
from tests.support.tree import PACKAGE, ROOT

ONE = program.ARCHITECTURES[0]


def _compiled(call: Call) -> Completed:
    Path(call.argv[-1]).write_bytes(b"a program")
    return Completed(status=0, stdout="", stderr="")


def _isolated(root: Path, cache: Path, question: str) -> str:
    """Ask a Python that has the standard library alone, and so no compiler."""
    script = (
        f"import sys; sys.path.insert(0, {str(root)!r})\n"
        "from devbox.agent import program\n"
        "from devbox.errors import AgentError\n"
        "try:\n"
        f"    print({question})\n"
        "except AgentError as error:\n"
        "    print(error.message, error.detail, error.hint, sep='|')\n"
    )
    environment = {"HOME": str(cache), "XDG_CACHE_HOME": str(cache), "PATH": os.environ["PATH"]}
    argv = [sys.executable, "-I", "-S", "-B", "-c", script]
    return subprocess.run(argv, env=environment, check=True, capture_output=True, text=True).stdout.strip()


def test_an_architecture_that_nobody_made_one_for() -> None:
    with pytest.raises(AgentError, match="there is no agent for riscv64 machines") as caught:
        program.binary("riscv64")
    assert caught.value.hint
    assert all(architecture in caught.value.hint for architecture in program.ARCHITECTURES)


def test_without_a_compiler_it_says_how_to_get_one(tmp_path: Path) -> None:
    message, detail, hint = _isolated(ROOT, tmp_path, f"program.binary({ONE!r})").split("|")
    assert message == "the agent cannot be compiled: the compiler 'ziglang' is not installed"
    assert detail == "None"
    assert hint == f"run: {sys.executable} -m pip install ziglang"
    assert not list(tmp_path.rglob("agent-*"))


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cache").write_text("a file, in which nobody makes a directory")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(AgentError) as caught:
        program.binary(ONE)
    assert caught.value.message == f"the agent cannot be kept in {tmp_path}/cache/devbox/agent: Not a directory"


def test_a_compiler_that_fails_is_quoted_and_leaves_nothing(tmp_path: Path) -> None:
    def fail(call: Call) -> Completed:
        _compiled(call)  # half of it, say
        raise CommandFailedError("python failed with exit code 1", detail="main.c:1: error: no space left")

    processes = FakeProcesses()
    processes.answer(sys.executable, with_=fail)
    with pytest.raises(AgentError, match=f"the agent for {ONE} cannot be compiled") as caught:
        program.compile_to(tmp_path / "agent", ONE, cache=tmp_path, processes=processes)
    assert caught.value.detail == "main.c:1: error: no space left"
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    processes = FakeProcesses()
    processes.answer(sys.executable, with_=lambda call: Completed(status=0, stdout="", stderr=""))  # makes nothing
    with pytest.raises(AgentError, match="cannot be compiled") as caught:
        program.compile_to(tmp_path / "agent", ONE, cache=tmp_path, processes=processes)
    assert "No such file" in (caught.value.detail or "")


def test_what_is_compiled_is_whole_executable_and_named_by_its_build(tmp_path: Path) -> None:
    processes = FakeProcesses()
    processes.answer(sys.executable, with_=_compiled)
    program.compile_to(tmp_path / "agent", ONE, cache=tmp_path / "zig", processes=processes)
    assert (tmp_path / "agent").read_bytes() == b"a program"
    assert (tmp_path / "agent").stat().st_mode & 0o777 == 0o755
    (call,) = processes.calls
    assert f'-DAGENT_BUILD="{program.build_id()}"' in call.argv
    assert call.env["ZIG_GLOBAL_CACHE_DIR"] == call.env["ZIG_LOCAL_CACHE_DIR"] == str(tmp_path / "zig")
    assert call.argv[call.argv.index("-target") + 1] == f"{ONE}-linux-musl"


def test_the_build_is_that_of_the_sources(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "devbox", ignore=shutil.ignore_patterns("__pycache__"))
    source = tmp_path / "devbox" / "agent" / "src" / "main.c"
    ask = "program.build_id()"
    assert _isolated(tmp_path, tmp_path, ask) == program.build_id()
    source.write_text(source.read_text() + "\n")
    changed = _isolated(tmp_path, tmp_path, ask)
    assert changed != program.build_id()
    source.rename(source.with_name("other.c"))
    assert _isolated(tmp_path, tmp_path, ask) not in (changed, program.build_id())


def test_the_program_of_this_machine_is_found_again() -> None:
    first = program.binary(os.uname().machine)
    assert program.is_at_hand(os.uname().machine)
    before = first.stat().st_mtime_ns
    assert program.binary(os.uname().machine) == first
    assert first.stat().st_mtime_ns == before
    assert first.parent.name == program.build_id()
