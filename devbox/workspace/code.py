"""`code`: an editor of this host in the Environment, by ssh."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from devbox.errors import EditorMissingError, NotConfirmedError, UsageError
from devbox.process import Processes
from devbox.values import printable
from devbox.workspace.context import Host, Workspace
from devbox.workspace.ssh_config import SshEntry, show, write
from devbox.workspace.up import bring_up


@dataclass(frozen=True, slots=True, kw_only=True)
class Editor:
    """An editor that gets into a host by ssh. In `words`, HOST and DIRECTORY stand for what they are called."""

    name: str
    programs: tuple[str, ...]
    words: tuple[str, ...]


_REMOTE: Final = ("--remote", "ssh-remote+{host}", "{directory}")
EDITORS: Final = (
    Editor(name="code", programs=("code",), words=_REMOTE),
    Editor(name="code-insiders", programs=("code-insiders",), words=_REMOTE),
    Editor(name="codium", programs=("codium", "vscodium"), words=_REMOTE),
    Editor(name="cursor", programs=("cursor",), words=_REMOTE),
    Editor(name="windsurf", programs=("windsurf",), words=_REMOTE),
    Editor(name="positron", programs=("positron",), words=_REMOTE),
    Editor(name="zed", programs=("zed", "zeditor"), words=("ssh://{host}{url_path}",)),
)
_INSTALL: Final = "install VS Code with its extension Remote-SSH, VSCodium with Open Remote SSH, Cursor, or Zed"
_PATIENCE: Final = 120.0  # seconds until the editor's own command has handed over to the editor


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What is to be run, on this host."""

    editor: str
    argv: tuple[str, ...]
    host: str
    directory: str


def opening(
    host: Host,
    workspace: Workspace,
    *,
    command: Sequence[str],
    editor: str | None = None,
    agree: Callable[[str], bool] | None = None,
) -> Opening:
    """Bring the Environment up and return how the editor is opened in it.

    `editor`: one of `EDITORS` by its name; default is the first that this host has, `EditorMissingError` if it has
    none. Where ssh has no entry for the Environment, `agree` is asked whether to do what `ssh-config --write` does;
    `NotConfirmedError` without a yes.
    """
    found = _found(host.processes, editor)  # before anything is built: without an editor there is nothing to do
    entry = show(host, workspace, command=command)
    if not entry.included:
        if agree is None or not agree(f"let ~/.ssh/config include devbox's entries ({entry.host})?"):
            raise NotConfirmedError(
                f"editors find {entry.host} by ~/.ssh/config, which does not lead to it",
                hint="devbox ssh-config --write",
            )
        entry = write(host, workspace, entry)
    bring_up(host, workspace, flags=None, command="devbox code")
    return _opening(found, entry)


def run(host: Host, opened: Opening) -> None:
    """Start the editor; `CommandFailedError`, with its own words, if it does not take it."""
    host.processes.run(opened.argv, timeout=_PATIENCE)


def _found(processes: Processes, wanted: str | None) -> tuple[Editor, str]:
    chosen = [editor for editor in EDITORS if wanted in (None, editor.name)]
    if not chosen:
        names = ", ".join(editor.name for editor in EDITORS)
        raise UsageError(f"devbox knows no editor {printable(wanted or '')}", hint=f"name one of: {names}")
    for editor in chosen:
        for program in editor.programs:
            path = processes.which(program)
            if path:
                return editor, path
    if wanted:
        raise EditorMissingError(f"{wanted} is not installed, or not on PATH", hint=_INSTALL)
    raise EditorMissingError(
        "no editor that gets in by ssh is on PATH", hint=f"{_INSTALL}; any other: devbox ssh-config --write, then HOST"
    )


def _opening(found: tuple[Editor, str], entry: SshEntry) -> Opening:
    editor, path = found
    values = {"host": entry.host, "directory": entry.guest_directory, "url_path": quote(entry.guest_directory)}
    argv = (path, *(word.format(**values) for word in editor.words))
    return Opening(editor=editor.name, argv=argv, host=entry.host, directory=entry.guest_directory)
