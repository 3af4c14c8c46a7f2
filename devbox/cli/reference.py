"""The generated part of docs/reference/cli.md: `python -m devbox.cli.reference` writes it, a test holds it current."""

import inspect
from collections.abc import Iterator
from pathlib import Path

import typer

from devbox.cli import catalogue
from devbox.cli.group import load, option_records

MARK = "<!-- from here on made by: python -m devbox.cli.reference -->"
PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "cli.md"


def verbs() -> str:
    """Return the part of the page below `MARK`: every verb with its options and examples."""
    return "\n".join(line for title, entries in catalogue.CATALOGUE for line in _group(title, entries)) + "\n"


def _group(title: str, entries: tuple[catalogue.Entry, ...]) -> Iterator[str]:
    yield f"\n## {title}"
    for entry in entries:
        yield from _verb(entry)


def _verb(entry: catalogue.Entry) -> Iterator[str]:
    command = load(entry)
    context = typer.Context(command, info_name=f"devbox {entry.name}")
    yield f"\n### devbox {entry.name}\n"
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"`devbox {entry.name} {usage}`" + "".join(f", alias `devbox {alias}`" for alias in entry.aliases) + "\n"
    yield inspect.cleandoc(command.help or "")
    options = [record for record in option_records(command, context) if not record[0].startswith("-h, ")]
    if options:
        yield "\n| option | meaning |\n|---|---|"
        yield from (f"| `{option}` | {_cell(meaning)} |" for option, meaning in options)
    yield "\n```sh"
    width = max(len(typed) for typed, _ in command.examples)
    yield from (f"{typed:<{width}}  # {meaning}" for typed, meaning in command.examples)
    yield f"```\n\nNext: {command.next_step}."


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    head, _, _ = PAGE.read_text(encoding="utf-8").partition(MARK)
    PAGE.write_text(f"{head}{MARK}\n{verbs()}", encoding="utf-8")
