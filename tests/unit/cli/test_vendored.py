import ast
import inspect
from pathlib import Path

import pytest
import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

import devbox.cli
from devbox.cli import catalogue, vendored
from devbox.cli.group import load, make_command


def test_the_classes_are_those_that_typers_public_ones_are_made_of() -> None:
    assert issubclass(TyperCommand, vendored.Command)
    assert issubclass(TyperGroup, vendored.Command)
    assert isinstance(typer.Context(make_command()).make_formatter(), vendored.HelpFormatter)
    assert issubclass(vendored.UsageError, typer.TyperException)
    assert {"message", "ctx"} <= vars(vendored.UsageError("what", typer.Context(make_command()))).keys()


def test_what_is_private_in_typer_is_named_in_one_module_for_the_type_checker_alone() -> None:
    for path in Path(devbox.cli.__path__[0]).rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        private = [
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("typer._")
        ]
        assert not private or path.name == "vendored.py"
    checked = next(node for node in tree_of(vendored).body if isinstance(node, ast.If))
    assert ast.unparse(checked.test) == "TYPE_CHECKING"


def tree_of(module: object) -> ast.Module:
    return ast.parse(inspect.getsource(module))  # type: ignore[arg-type]


@pytest.mark.parametrize("entry", catalogue.ENTRIES.values(), ids=lambda entry: entry.name)
def test_every_parameter_of_a_verb_passes_on_what_was_typed(entry: catalogue.Entry) -> None:
    verb = load(entry)
    typed = (vendored._TypedOption, vendored._TypedArgument)
    assert all(isinstance(param, typed) for param in verb.params)
    assert all(isinstance(param, TyperOption | TyperArgument) for param in verb.params)


def test_bytes_that_are_no_utf8_reach_the_command_inside() -> None:
    words = ["-e", "A=\udcff", "--", "cat", "caf\udce9"]
    context = load(catalogue.ENTRIES["exec"]).make_context("exec", words, resilient_parsing=True)
    assert context.params["argv"] in (["cat", "caf\udce9"], ("cat", "caf\udce9"))
    assert list(context.params["env"]) == ["A=\udcff"]
