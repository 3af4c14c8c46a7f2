"""The classes that typer's public ones are made of, and options whose value is what was typed.

typer (0.26 and later) keeps a copy of click in a private package. Here alone, and for the type checker alone, it is
named; at run time each class is reached through a public one. tests/unit/cli/test_vendored.py holds this to be so.
"""

from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperOption

if TYPE_CHECKING:
    from typer._click import Command, Context, HelpFormatter, Parameter
    from typer._click.exceptions import UsageError
else:
    Command = TyperCommand.__base__
    Context = typer.Context.__base__
    HelpFormatter = Context.formatter_class
    Parameter = object  # only in annotations
    UsageError = typer.BadParameter.__base__

__all__ = ["Command", "Context", "HelpFormatter", "Parameter", "UsageError", "as_typed"]


class _TypedOption(TyperOption):
    """An option whose value is the text that was typed; its callback, if any, makes something else of it."""

    def process_value(self, ctx: Context, value: Any) -> Any:  # noqa: ANN401 (typer's own)
        """Return `value`, as the callback has it, without typer's coercion."""
        if self.required and self.value_is_missing(value):
            return super().process_value(ctx, value)  # which knows how to say it
        return self.callback(ctx, self, value) if self.callback else value


class _TypedArgument(TyperArgument):
    """The same for an argument."""

    def process_value(self, ctx: Context, value: Any) -> Any:  # noqa: ANN401
        """Return `value`, as the callback has it, without typer's coercion."""
        if self.required and self.value_is_missing(value):
            return super().process_value(ctx, value)
        return self.callback(ctx, self, value) if self.callback else value


def as_typed(parameter: TyperOption | TyperArgument) -> None:
    """Let `parameter` pass on what was typed.

    typer coerces by pydantic, even where nothing was given: 100 ms at every start, and bytes that are no UTF-8 are
    refused, though a file name or an argument of a command inside may well have some. It makes its parameters itself
    and cannot be told of another class for them, so they get theirs afterwards.
    """
    parameter.__class__ = _TypedOption if isinstance(parameter, TyperOption) else _TypedArgument
