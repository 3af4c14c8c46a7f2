"""What fits at the cursor, for the completion scripts. Reads no profile, asks no engine, imports the one verb typed.

The protocol is click's: `COMP_WORDS` has the line as typed, `COMP_CWORD` the number of the word at the cursor (in fish
that word itself); the answer has a line `kind,value` for each candidate, in zsh three lines. typer has classes for
this, too, but they import rich for each word of help.
"""

import itertools
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import typer
from typer.core import TyperArgument, TyperOption

from devbox.cli import catalogue
from devbox.cli.group import Overview, Verb, load


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One word that fits; `kind`: `plain`, or `dir` and `file` for which the shell itself completes."""

    value: str = ""
    meaning: str = ""
    kind: str = "plain"


def answer(command: Overview, instruction: str, environ: Mapping[str, str]) -> int:
    """Write what fits to stdout in the form that the script of `instruction` ("bash_complete") reads."""
    shell, _, what = instruction.partition("_")
    if what != "complete" or shell not in _FORMS:
        return 2
    words = _words(environ.get("COMP_WORDS", ""))[1:]
    at = environ.get("COMP_CWORD", "")
    if shell == "fish":
        typed, cursor = words[:-1] if at and words[-1:] == [at] else words, at
    else:
        index = max(int(at) - 1, 0) if at.isdecimal() else len(words)
        typed, cursor = words[:index], "".join(words[index : index + 1])
    lines = [_FORMS[shell](one) for one in candidates(command, typed, cursor)]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def candidates(command: Overview, typed: Sequence[str], cursor: str) -> Iterator[Candidate]:
    """Yield what fits at `cursor`, the begun word, after the words `typed`."""
    entry, unknown = _verb(typed)
    verb = load(entry) if entry else None
    options = [param for param in (verb or command).params if isinstance(param, TyperOption)]
    if "--" in typed:
        return  # a command that runs inside
    waiting = next((one for one in options if typed and typed[-1] in one.opts and not one.is_flag), None)
    if waiting is not None:
        if waiting.name == "project":
            yield Candidate(kind="dir")
    elif cursor.startswith("-"):
        yield from _options(options, typed, cursor)
    elif verb is not None:
        yield from _arguments(verb, typed, cursor)
    elif not unknown:
        found = (one for one in catalogue.ENTRIES.values() if one.name.startswith(cursor))
        yield from (Candidate(value=one.name, meaning=one.short) for one in found)


def _verb(typed: Sequence[str]) -> tuple[catalogue.Entry | None, bool]:
    """Return the verb among `typed`; and whether something stands in its place that is none."""
    words = iter(typed)
    for word in words:
        if word in ("-C", "--project"):
            next(words, None)
        elif not word.startswith("-"):
            entry = catalogue.resolve(word)
            return entry, entry is None
    return None, False


def _options(options: Sequence[TyperOption], typed: Sequence[str], cursor: str) -> Iterator[Candidate]:
    for option in options:
        if option.hidden or (set(option.opts) & set(typed) and not option.multiple):
            continue
        fitting = (name for name in option.opts if name.startswith(cursor))
        yield from (Candidate(value=name, meaning=option.help or "") for name in fitting)


def _arguments(verb: Verb, typed: Sequence[str], cursor: str) -> Iterator[Candidate]:
    """Yield what fits as the argument that stands at the cursor; a second one may depend on those before it."""
    options = {name: one for one in verb.params if isinstance(one, TyperOption) for name in one.opts}
    words = _plain(typed, options)[1:]
    arguments = [one for one in verb.params if isinstance(one, TyperArgument)]
    if len(words) >= len(arguments):
        return
    context = typer.Context(verb, info_name=verb.name, resilient_parsing=True)
    context.params.update({one.name: word for one, word in zip(arguments, words, strict=False) if one.name})
    context.obj = _after(typed, ("-C", "--project"))
    found = arguments[len(words)].shell_complete(context, cursor)
    yield from (Candidate(value=one.value, meaning=one.help or "") for one in found)


def _plain(typed: Sequence[str], options: Mapping[str, TyperOption]) -> list[str]:
    """Return the words that are neither options nor what belongs to one."""
    found, words = [], iter(typed)
    for word in words:
        if word in options and not options[word].is_flag:
            next(words, None)
        elif not word.startswith("-"):
            found.append(word)
    return found


def _after(typed: Sequence[str], options: Sequence[str]) -> str | None:
    """Return the word behind the last of `options`; None if there is none."""
    found = [after for word, after in itertools.pairwise(typed) if word in options]
    return found[-1] if found else None


def _words(line: str) -> list[str]:
    for end in ("", '"', "'"):  # a quote that was begun
        try:
            return shlex.split(line + end)
        except ValueError:
            continue
    return line.split()


def _bash(one: Candidate) -> str:
    return f"{one.kind},{one.value}"


def _zsh(one: Candidate) -> str:
    return f"{one.kind}\n{one.value}\n{one.meaning or '_'}"


def _fish(one: Candidate) -> str:
    return f"{one.kind},{one.value}" + (f"\t{one.meaning}" if one.meaning else "")


_FORMS = {"bash": _bash, "zsh": _zsh, "fish": _fish}
