"""What click's classes lack: verbs loaded when called, global options before and after the verb, help by example."""

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from click.shell_completion import CompletionItem

from devbox import __version__
from devbox.cli import catalogue
from devbox.cli.invocation import Invocation
from devbox.errors import UsageError

_SETTINGS: Final = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
_LEARN: Final = (
    "Global options work before and after the verb: -C DIR, -q, -v, --json, --no-input.",
    "What they do: devbox --help",
)
F = TypeVar("F", bound=Callable[..., Any])

pass_invocation = click.make_pass_decorator(Invocation)


class Verb(click.Command):
    """A verb: a command that also takes the global options and whose help shows examples."""

    def __init__(
        self,
        *args: Any,  # noqa: ANN401 (click's own)
        examples: Sequence[tuple[str, str]] = (),
        next_step: str = "",
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(*args, **kwargs)
        self.examples = tuple(examples)
        self.next_step = next_step
        self.params.extend(global_options(hidden=True))

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """Return `--help`, printing by our terminal."""
        return _help_option(ctx)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401
        """Run the verb, unless the version was asked for."""
        invocation = ctx.ensure_object(Invocation)
        return _print_version(invocation) if invocation.version else super().invoke(ctx)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
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
) -> Callable[[Callable[..., int | None]], Verb]:
    """Make a function a verb. `guest_command`: its first argument ends the options, since a command follows."""
    settings: dict[str, Any] = {**_SETTINGS, "allow_interspersed_args": not guest_command}
    return click.command(
        name,
        cls=Verb,
        examples=examples,
        next_step=next_step,
        context_settings=settings,
        short_help=catalogue.ENTRIES[name].short,
    )


class Overview(click.Group):
    """The command itself: knows its verbs by the catalogue and imports the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the verbs in the order of the overview."""
        return list(catalogue.ENTRIES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return the verb of this name or alias, importing it."""
        entry = catalogue.resolve(cmd_name)
        if entry is None:
            return None
        command = importlib.import_module(catalogue.module_name(entry)).command
        assert isinstance(command, Verb)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the verb that `args` begin with; an unknown one is a `UsageError` with what was meant."""
        word = args[0]
        if catalogue.resolve(word) is None and not ctx.resilient_parsing:
            close = catalogue.suggest(word)
            hint = f"did you mean: devbox {close}" if close else "devbox --help lists the verbs"
            raise UsageError(f"no such verb: {word}", hint=hint)
        return super().resolve_command(ctx, args)

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """Return `--help`, printing by our terminal."""
        return _help_option(ctx)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the overview; imports no verb."""
        formatter.write_text("devbox: one file in the repo, one command, and you are in the environment.")
        formatter.write_paragraph()
        formatter.write_usage("devbox", "VERB [OPTIONS]")
        width = max(len(_names(entry)) for entry in catalogue.ENTRIES.values())  # the sections' columns line up
        for title, entries in catalogue.CATALOGUE:
            with formatter.section(title):
                formatter.write_dl([(_names(entry).ljust(width), entry.short) for entry in entries], col_spacing=3)
        self.format_options(ctx, formatter)
        with formatter.section("Start here"):
            formatter.write_dl(
                [
                    ("devbox init", "look at this repo and write devbox.toml"),
                    ("devbox shell", "build what is missing and be in it"),
                    ("devbox VERB --help", "a verb's options, with examples"),
                ],
                col_spacing=3,
            )

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the global options alone; the verbs are in the overview."""
        records = [record for record in (param.get_help_record(ctx) for param in self.get_params(ctx)) if record]
        with formatter.section("Options, before or after the verb"):
            formatter.write_dl(records)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete verbs and options; imports no verb."""
        verbs = [
            CompletionItem(entry.name, help=entry.short)
            for entry in catalogue.ENTRIES.values()
            if entry.name.startswith(incomplete)
        ]
        return [*verbs, *click.Command.shell_complete(self, ctx, incomplete)]


def make_command() -> Overview:
    """Return the whole command."""
    group = Overview(
        "devbox",
        callback=_without_verb,
        invoke_without_command=True,
        no_args_is_help=False,
        context_settings=dict(_SETTINGS),
    )
    group.params.extend(global_options(hidden=False))
    return group


def global_options(*, hidden: bool) -> list[click.Option]:
    """Return the options that every verb takes as well; their values end up in the `Invocation`."""

    def flag(*names: str, help: str) -> click.Option:
        return click.Option(names, is_flag=True, expose_value=False, callback=_remember, help=help, hidden=hidden)

    project = click.Option(
        ["-C", "--project"],
        metavar="DIR",
        type=click.Path(path_type=Path),
        expose_value=False,
        callback=_remember,
        hidden=hidden,
        help="The project; default is the nearest devbox.toml upward, else the current directory.",
    )
    return [
        project,
        flag("-q", "--quiet", help="Say nothing on stderr but errors."),
        flag("-v", "--verbose", help="Say every external command and engine call."),
        flag("--json", help="Print one JSON document on stdout."),
        flag("--no-input", help="Never ask; what would need an answer fails instead."),
        flag("--version", help="Print the version."),
    ]


def _names(entry: catalogue.Entry) -> str:
    return ", ".join((entry.name, *entry.aliases))


def _remember(ctx: click.Context, param: click.Parameter, value: object) -> None:
    invocation = ctx.find_object(Invocation)
    if invocation is not None and value and param.name:  # what was not given here may have been given before the verb
        setattr(invocation, param.name, value)


def _help_option(ctx: click.Context) -> click.Option:
    def show(ctx: click.Context, param: click.Parameter, value: object) -> None:  # noqa: ARG001
        if value and not ctx.resilient_parsing:
            ctx.ensure_object(Invocation).terminal.text(ctx.get_help())
            ctx.exit()

    return click.Option(
        ctx.help_option_names,
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=show,
        help="Show this page.",
    )


def _print_version(invocation: Invocation) -> None:
    invocation.show({"version": __version__}, [f"devbox {__version__}"])


@click.pass_context
def _without_verb(ctx: click.Context) -> None:
    invocation = ctx.ensure_object(Invocation)
    if ctx.invoked_subcommand is not None:
        return
    if invocation.version:
        _print_version(invocation)
        return
    if invocation.json:
        raise UsageError("no verb given", hint="devbox --help lists the verbs")
    invocation.terminal.text(ctx.get_help())
