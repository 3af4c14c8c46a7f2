"""A server inside, for images that have none: a static program, compiled once."""

from pathlib import Path

from tests.support.c_program import compiled


def program() -> Path:
    """Return the program `guest-server`; see its source for what it does."""
    return compiled("guest-server", [Path(__file__).with_suffix(".c")])
