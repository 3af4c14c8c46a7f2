"""What an error looks like: as lines for a person, as a document for a machine. Pure."""

from collections.abc import Mapping
from typing import Any

import typer

from devbox.cli import vendored
from devbox.cli.render import flat, problem_document, problem_line
from devbox.cli.text import Line, Span, clean
from devbox.errors import CannotStartError, DevboxError, NotRunningError, UsageError
from devbox.interrupts import SignalledError

GUEST_COMMAND_FAILED = 125  # devbox's own failure where a command was given after `--`
_FALLBACK_HINT = "run it again with -v to see every command and engine call"


def lines(error: DevboxError) -> list[Line]:
    """Return the human form: `error[code]: ...`, the problems, the foreign tool's words dimmed, the hint."""
    shown: list[Line] = [(Span(f"error[{error.code}]", "error"), Span(f": {flat(error.message)}", "bold"))]
    shown.extend(problem_line(problem) for problem in error.problems)
    if error.detail:
        shown.extend((Span(f"  {clean(line)}", "dim"),) for line in error.detail.rstrip("\n").split("\n"))
    shown.append((Span("hint: ", "hint"), Span(flat(hint(error)))))
    return shown


def document(error: DevboxError) -> dict[str, Any]:
    """Return the failure document of the contract, without its `schema`."""
    return {
        "error": {
            "code": error.code,
            "message": error.message,
            "detail": error.detail,
            "hint": hint(error),
            "problems": [problem_document(problem) for problem in error.problems],
        }
    }


def hint(error: DevboxError) -> str:
    """Return what to do next: the error's own hint, or the best that can be said without one."""
    if error.hint:
        return error.hint
    if isinstance(error, NotRunningError):
        return "devbox up"
    if error.problems and error.exit_status == UsageError.exit_status:
        return "correct these lines, then run the same command again"
    return _FALLBACK_HINT


def status(error: DevboxError, *, guest_command: bool) -> int:
    """Return the exit status: the error's class says it, but for a command inside devbox's own failure is 125."""
    if isinstance(error, SignalledError):
        return error.status
    if guest_command and isinstance(error, CannotStartError):
        return error.status
    if guest_command and error.code != "interrupted":
        return GUEST_COMMAND_FAILED
    return error.exit_status


def from_typer(error: typer.TyperException) -> DevboxError:
    """Return what typer found wrong with the command line as a `UsageError` of ours."""
    if not isinstance(error, vendored.UsageError):
        return DevboxError(_sentence(error.format_message()))
    path = error.ctx.command_path if error.ctx else "devbox"
    close = [*(getattr(error, "possibilities", None) or ())][:1]  # of an option that does not exist
    message = _sentence(error.message if close else error.format_message())
    return UsageError(message, hint=f"did you mean: {path} {close[0]}" if close else f"{path} --help")


def bug_lines(version: str, context: Mapping[str, str]) -> list[Line]:
    """Return what is said below the traceback of an exception that devbox cannot explain."""
    facts = ", ".join(f"{name} {value}" for name, value in context.items())
    return [
        (Span("error[internal]", "error"), Span(": this is a bug in devbox", "bold")),
        (Span("hint: ", "hint"), Span(f"report it with the lines above and: devbox {version}, {facts}")),
    ]


def _sentence(text: str) -> str:
    text = " ".join(text.split()).removesuffix(".").replace("argument(s)", "argument")
    return text[:1].lower() + text[1:]
