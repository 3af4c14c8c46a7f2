"""What typer's classes lack: verbs loaded when called, global options before and after the verb, help by example."""

import importlib
from collections.abc import Callable, Sequence
from typing import Any, Final

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

from devbox import __version__
from devbox.cli import catalogue, options
from devbox.cli.invocation import Invocation
from devbox.cli.options import invocation_of as invocation_of
from devbox.cli.vendored import Command, Context, HelpFormatter, as_typed
from devbox.errors import UsageError

_SETTINGS: Final = {"max_content_width": 100}
_LEARN: Final = (
    "Global options work before and after the verb: -C DIR, -q, -v, --json, --no-input.",
    "What they do: devbox --help",
)


class Verb(TyperCommand):
    """A verb: a command that also takes the global options and whose help shows examples."""

    examples: tuple[tuple[str, str], ...] = ()
    next_step: str = ""
    takes_machine: bool = False

    def __init__(self, name: str | None, **settings: Any) -> None:  # noqa: ANN401 (typer's own)
        super().__init__(name, **settings)
        for param in self.params:
            if isinstance(param, TyperOption | TyperArgument):
                as_typed(param)
        self._global = options.parameters(shown=False)
        self.params.extend(self._global)

    def invoke(self, ctx: Context) -> Any:  # noqa: ANN401
        """Run the verb, unless the version was asked for."""
        if self.takes_machine:
            options.remember_machine(ctx, machine=ctx.params.pop("machine"))
        options.remember(ctx, **{option.name: ctx.params.pop(option.name) for option in self._global})
        invocation = ctx.ensure_object(Invocation)
        return _print_version(invocation) if invocation.version else super().invoke(ctx)

    def collect_usage_pieces(self, ctx: Context) -> list[str]:  # noqa: ARG002
        """Return what stands behind the verb: its arguments as their metavars have them."""
        arguments = [param.metavar for param in self.params if isinstance(param, TyperArgument)]
        return ["[OPTIONS]", *(metavar for metavar in arguments if metavar)]

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the options alone; the arguments are in the usage and in the text."""
        with formatter.section("Options"):
            formatter.write_dl(option_records(self, ctx))

    def format_epilog(self, ctx: Context, formatter: HelpFormatter) -> None:  # noqa: ARG002
        """Write the examples, what to do next, and where the global options are described."""
        with formatter.section("Examples"):
            for typed, meaning in self.examples:
                formatter.write(f"{'':>{formatter.current_indent}}{typed}\n")
                formatter.write(f"{'':>{formatter.current_indent + 4}}{meaning}\n")
        if self.next_step:
            with formatter.section("Next"):
                formatter.write_text(self.next_step)
        formatter.write_paragraph()
        for line in _LEARN:
            formatter.write(f"{line}\n")


def verb(
    name: str,
    *,
    examples: Sequence[tuple[str, str]],
    next_step: str = "",
    guest_command: bool = False,
    machines: bool = False,
) -> Callable[[Callable[..., int | None]], Verb]:
    """Make a function a verb. `guest_command`: its first argument ends the options, since a command follows.

    `machines`: it can be about one of several, see `Invocation.machine`.
    """

    def make(function: Callable[..., int | None]) -> Verb:
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        app.command(
            name,
            cls=Verb,
            context_settings={**_SETTINGS, "allow_interspersed_args": not guest_command},
            short_help=(catalogue.ENTRIES | catalogue.HIDDEN)[name].short,
            add_help_option=False,  # the global options have it
        )(function)
        made = get_command(app)
        assert isinstance(made, Verb)
        made.examples, made.next_step = tuple(examples), next_step
        if machines:
            made.takes_machine = True
            made.params.insert(0, options.machine_parameter())
        return made

    return make


class Overview(TyperGroup):
    """The command itself: knows its verbs by the catalogue and imports the one that is called."""

    def list_commands(self, ctx: Context) -> list[str]:  # noqa: ARG002
        """Return the verbs in the order of the overview."""
        return list(catalogue.ENTRIES)

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:  # noqa: ARG002
        """Return the verb of this name or alias, importing it."""
        entry = catalogue.resolve(cmd_name)
        return None if entry is None else load(entry)

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, Command | None, list[str]]:
        """Return the verb that `args` begin with; an unknown one is a `UsageError` with what was meant."""
        word = args[0]
        if catalogue.resolve(word) is None:
            close = catalogue.suggest(word)
            hint = f"did you mean: devbox {close}" if close else "devbox --help lists the verbs"
            raise UsageError(f"no such verb: {word}", hint=hint)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Context) -> Any:  # noqa: ANN401
        """Run the verb; without one show the version, if it was asked for, or the overview."""
        status = super().invoke(ctx)
        if ctx.invoked_subcommand is None:
            _without_verb(ctx)
        return status

    def format_help(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the overview; imports no verb."""
        formatter.write_text("devbox: one file in the repo, one command, and you are in the environment.")
        formatter.write_paragraph()
        formatter.write_usage("devbox", "VERB [OPTIONS]")
        width = max(len(_names(entry)) for entry in catalogue.ENTRIES.values())  # the sections' columns line up
        for title, entries in catalogue.CATALOGUE:
            with formatter.section(title):
                formatter.write_dl([(_names(entry).ljust(width), entry.short) for entry in entries], col_spacing=3)
        with formatter.section("Options, before or after the verb"):
            formatter.write_dl(option_records(self, ctx))
        with formatter.section("Start here"):
            formatter.write_dl(
                [
                    ("devbox init", "look at this repo and write devbox.toml"),
                    ("devbox shell", "build what is missing and be in it"),
                    ("devbox VERB --help", "a verb's options, with examples"),
                ],
                col_spacing=3,
            )


def make_command() -> Overview:
    """Return the whole command."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.callback(cls=Overview, invoke_without_command=True, add_help_option=False, context_settings=dict(_SETTINGS))(
        options.remember
    )
    made = get_command(app)
    assert isinstance(made, Overview)
    made.params = [*options.parameters(shown=True)]
    return made


def load(entry: catalogue.Entry) -> Verb:
    """Import the verb."""
    command = importlib.import_module(catalogue.module_name(entry)).command
    assert isinstance(command, Verb)
    return command


def option_records(command: Command, ctx: Context) -> list[tuple[str, str]]:
    """Return the options that help shows: as they are typed, and what they do."""
    params = [param for param in command.params if isinstance(param, TyperOption)]
    return [record for record in (param.get_help_record(ctx) for param in params) if record]


def _names(entry: catalogue.Entry) -> str:
    return ", ".join((entry.name, *entry.aliases))


def _print_version(invocation: Invocation) -> None:
    invocation.show({"version": __version__}, [f"devbox {__version__}"])


def _without_verb(ctx: Context) -> None:
    invocation = ctx.ensure_object(Invocation)
    if invocation.version:
        _print_version(invocation)
        return
    if invocation.json:
        raise UsageError("no verb given", hint="devbox --help lists the verbs")
    invocation.terminal.text(ctx.get_help())
