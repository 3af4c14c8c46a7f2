"""The entry point of the installed command.

It stays free of heavy imports: what a running, unchanged Environment needs will be answered here,
and all else goes to the command line by the one lazy import that the import contract allows.
"""

import gc
import os


def main() -> int:
    """Run the command line and return its exit status."""
    # Imports make 100,000 objects that all stay: looking for garbage among them again and again takes 30 ms.
    gc.set_threshold(100_000, 50, 100)
    # pydantic looks for plugins in every installed package: 30 ms at each start, and other people's code in ours
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    from devbox.cli.app import run  # lazy: typer, pydantic and docker cost 300 ms

    return run()
