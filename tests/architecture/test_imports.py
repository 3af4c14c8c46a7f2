import ast

import pytest
from importlinter.cli import lint_imports

from tests.support.tree import ROOT, imports, modules, relative, tree

STARTS_A_PROGRAM = {"system", "popen", "fork", "forkpty", "posix_spawn", "posix_spawnp", "startfile"}
RUNS_PROGRAMS = ("subprocess", "multiprocessing", "pty", "pexpect", "asyncio.subprocess")


def test_imports_point_one_way(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    status = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)
    assert status == 0, capfd.readouterr().out


def test_only_process_runs_programs() -> None:
    found = [
        f"{relative(path)}:{line} imports {name}"
        for path in modules("devbox")
        if relative(path) != "devbox/process.py"
        for name, line in imports(path)
        if name.startswith(RUNS_PROGRAMS)
    ]
    assert not found


# A program started by devbox.process would be a zombie of the `devbox shell` that outlives it, to save 8 ms of 50 once.
MAY_FORK = {
    "devbox/supervisor/daemon.py": {"fork"},
    "devbox/vm/line_process.py": {"fork"},
    # What devbox.process starts: it becomes another user in other namespaces, step by step, and then the program.
    "devbox/engine/own/inner.py": {"fork", "execvp", "execvpe"},
}


def test_nothing_starts_a_program_by_os() -> None:
    found = [
        f"{relative(path)}:{node.lineno} os.{node.attr}"
        for path in modules("devbox")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os"
        if node.attr in STARTS_A_PROGRAM or node.attr.startswith(("exec", "spawn"))
        if node.attr not in MAY_FORK.get(relative(path), ())
    ]
    assert not found


@pytest.mark.parametrize(
    ("library", "room"),
    [
        ("docker", "devbox/engine/"),
        ("requests", "devbox/engine/"),
        ("typer", "devbox/cli/"),
        ("rich", "devbox/cli/"),
        ("pydantic", "devbox/profile/"),
        ("qemu", "devbox/vm/"),
    ],
)
def test_a_library_that_is_slow_to_import_stays_in_its_room(library: str, room: str) -> None:
    found = [
        f"{relative(path)}:{line} imports {name}"
        for path in modules("devbox")
        if not relative(path).startswith(room)
        for name, line in imports(path)
        if name.split(".")[0] == library
    ]
    assert not found
