"""The arguments that `add` and `remove` share."""

from typing import Annotated

import typer

Names = Annotated[list[str], typer.Argument(metavar="NAME...", show_default=False)]
Group = Annotated[str, typer.Option("--group", metavar="GROUP", help="system or python.")]
