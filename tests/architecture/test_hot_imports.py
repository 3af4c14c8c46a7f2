"""The hot path imports next to nothing: each millisecond of it is there at every command."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.stand import Stand, standing
from tests.support.tree import PACKAGE, ROOT, relative, tree

HOT = [
    *sorted((PACKAGE / "hot").glob("*.py")),
    *(PACKAGE / f"{name}.py" for name in ("__init__", "launcher", "record", "paths")),
    *(PACKAGE / "agent" / f"{name}.py" for name in ("__init__", "fields", "wire", "client", "relay", "streams")),
    PACKAGE / "supervisor" / "__init__.py",
    PACKAGE / "supervisor" / "probe.py",
]
# C modules, and what an interpreter without `site` has loaded anyway or cannot do without.
ALLOWED = {"__future__", "os", "sys", "gc", "errno", "stat", "time", "select", "fcntl", "termios", "hashlib"}
SLOW = """
    argparse asyncio collections contextlib dataclasses docker enum functools hashlib importlib.metadata inspect json
    logging pathlib platformdirs pydantic random re rich selectors shutil signal site socket struct subprocess tempfile
    termios threading tomli typer typing urllib
""".split()  # noqa: SIM905
PROBE = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from devbox import launcher
def end(status):
    print("\\n".join(sys.modules), file=open(3, "w"))
    return status
launcher._end = end
launcher._bring_site_in = lambda packages: sys.exit(99)
sys.exit(launcher.main(""))
"""


def at_once(path: Path) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yield the imports that are carried out when `path` is imported."""
    waiting: list[ast.AST] = list(tree(path).body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            waiting.extend(node.orelse)
        elif not isinstance(node, ast.FunctionDef | ast.ClassDef):
            waiting.extend(ast.iter_child_nodes(node))


def imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [name.name for name in node.names]
    module = node.module or ""
    return [f"{module}.{name.name}" for name in node.names] if module.startswith("devbox") else [module]


@pytest.mark.parametrize("path", HOT, ids=relative)
def test_a_hot_module_imports_c_modules_and_hot_ones_alone(path: Path) -> None:
    hot = {".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for file in HOT}
    for name in (name for node in at_once(path) for name in imported(node)):
        own = name in hot or name.rpartition(".")[0] in hot
        assert own or name in ALLOWED or name.startswith("_"), f"{relative(path)} imports {name}"


@pytest.fixture
def stand(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> Iterator[Stand]:
    with standing(tmp_path, capfdbinary) as stand:
        stand.write()
        yield stand


@pytest.mark.parametrize(
    "words", ["exec -- true", "exec -d -u root -- true", "shell -- true", "up", "status", "status --json"]
)
def test_nothing_slow_is_loaded_by_a_hot_command(stand: Stand, tmp_path: Path, words: str) -> None:
    with (tmp_path / "modules").open("w") as listed:
        os.set_inheritable(listed.fileno(), True)
        script = PROBE.replace("open(3,", f"open({listed.fileno()},")
        argv = [sys.executable, "-I", "-S", "-c", script, str(ROOT), *words.split()]
        done = subprocess.run(argv, cwd=stand.directory, capture_output=True, text=True, close_fds=False)
    assert done.returncode == 0, done.stderr
    loaded = (tmp_path / "modules").read_text().split()
    assert "devbox.hot.answer" in loaded
    assert not set(SLOW) & set(loaded)


def test_a_cold_up_needs_neither_the_engines_sdk_nor_the_parser_of_command_lines() -> None:
    script = """
import sys
import devbox.cli.quick, devbox.engine.discovery, devbox.workspace.up
print(*sorted({"docker", "requests", "urllib3", "typer", "rich"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout.split()) == (0, []), done.stderr
