import ast
from collections.abc import Iterator
from pathlib import Path

from tests.support.tree import modules, relative, tree

FUNCTION_LINES = 40  # without its docstring
FILE_LINES = 400
TEST_FILE_LINES = 600  # a suite over one protocol reads better whole


def functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            has_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
            doc = (first.end_lineno or 0) - first.lineno + 1 if has_docstring else 0
            yield f"{relative(path)}:{node.lineno} {node.name}", (node.end_lineno or 0) - node.lineno + 1 - doc


def test_functions_are_short() -> None:
    found = [
        f"{name}: {lines} lines"
        for path in modules("devbox", "benchmarks", "scripts")
        for name, lines in functions(path)
        if lines > FUNCTION_LINES
    ]
    assert not found


def length(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_files_are_short() -> None:
    allowed = dict.fromkeys(modules("devbox", "benchmarks", "scripts"), FILE_LINES)
    allowed |= dict.fromkeys(modules("tests"), TEST_FILE_LINES)
    assert not {relative(path): length(path) for path, most in allowed.items() if length(path) > most}
