"""The entry point of the installed command.

It stays free of heavy imports: what a running, unchanged Environment needs will be answered here,
and all else goes to the command line by the one lazy import that the import contract allows.
"""


def main() -> int:
    """Run the command line and return its exit status."""
    from devbox.cli.app import run  # lazy: click, pydantic and docker cost 300 ms

    return run()
