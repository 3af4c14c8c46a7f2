"""What a person sees: terminals of a private tmux server, looked at until they show what is expected."""

import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from tests.support.account import Account

PATIENCE = 30.0  # seconds until an expectation counts as failed; nothing takes that long
_PAUSE = 0.03
_SETTINGS = """\
set -g default-terminal tmux-256color
set -g history-limit 5000
set -g remain-on-exit on
set -g status off
set -s escape-time 0
"""
_PROMPT = re.compile(r"(\w+) (\d+)>")  # what PS1 is in these tests: a name and the number of the command
T = TypeVar("T")


def until(look: Callable[[], T], good: Callable[[T], object], *, within: float = PATIENCE) -> T:
    """Look until it is good, and return what was seen then; fail with what was seen last."""
    end = time.monotonic() + within
    while not good(seen := look()):
        assert time.monotonic() < end, f"not within {within} s; last seen:\n{seen}"
        time.sleep(_PAUSE)
    return seen


@dataclass(frozen=True, kw_only=True)
class Screens:
    """A tmux server of `account`, with its socket below `directory`; see `screens`."""

    directory: Path
    account: Account
    environment: Mapping[str, str]

    def open(self, command: str, *, cwd: Path, rows: int = 24, columns: int = 80) -> "Screen":
        """Open another terminal, in which the shell command line `command` runs."""
        name = uuid.uuid4().hex[:8]
        self.tmux("new-session", "-d", "-s", name, "-x", str(columns), "-y", str(rows), "-c", str(cwd), command)
        return Screen(server=self, pane=self.tmux("display-message", "-p", "-t", name, "#{pane_id}").strip())

    def tmux(self, *words: str, stdin: bytes = b"") -> str:
        """Run one command of tmux; return what it prints."""
        root = os.getuid() == 0
        done = subprocess.run(
            ["tmux", "-u", "-L", "devbox-test", "-f", str(self.directory / "settings"), *words],
            cwd="/",
            env={**self.environment, "TMUX_TMPDIR": str(self.directory)},
            user=self.account.uid if root else None,
            group=self.account.gid if root else None,
            extra_groups=self.account.groups if root else None,
            input=stdin,
            capture_output=True,
            timeout=60,
        )
        assert done.returncode == 0, f"tmux {shlex.join(words)}: {done.stderr.decode(errors='replace')}"
        return done.stdout.decode()


@dataclass(frozen=True, kw_only=True)
class Screen:
    """One terminal: what is typed into it and what it shows."""

    server: Screens
    pane: str

    def type(self, text: str) -> None:
        """Type `text`, key by key."""
        self.server.tmux("send-keys", "-t", self.pane, "-l", "--", text)

    def press(self, *keys: str) -> None:
        """Press keys by tmux's names: Enter, Up, BSpace, C-c ..."""
        self.server.tmux("send-keys", "-t", self.pane, *keys)

    def enter(self, line: str) -> None:
        """Type a line and end it."""
        self.type(line)
        self.press("Enter")

    def paste(self, text: str) -> None:
        """Paste `text` as it is; in brackets if the program inside has asked the terminal for them."""
        self.server.tmux("load-buffer", "-b", "text", "-", stdin=text.encode())
        self.server.tmux("paste-buffer", "-d", "-p", "-r", "-b", "text", "-t", self.pane)

    def resize(self, *, rows: int, columns: int) -> None:
        """Give the terminal another size."""
        self.server.tmux("resize-window", "-t", self.pane, "-x", str(columns), "-y", str(rows))

    def close(self) -> None:
        """Close the terminal as by its window's button."""
        self.server.tmux("kill-pane", "-t", self.pane)

    def state(self, name: str) -> str:
        """Return one of tmux's variables: alternate_on, pane_dead_status, cursor_x ..."""
        return self.server.tmux("display-message", "-p", "-t", self.pane, f"#{{{name}}}").rstrip("\n")

    def shown(self) -> str:
        """Return the lines on the screen, without the empty ones at its end."""
        return self.server.tmux("capture-pane", "-p", "-t", self.pane).rstrip("\n")

    def last(self) -> str:
        """Return the last line on the screen that is not empty."""
        return self.shown().rpartition("\n")[2]

    def until(self, pattern: str, *, within: float = PATIENCE) -> str:
        """Wait until a line of the screen matches `pattern` (^ and $ are a line's), and return the screen."""
        return until(self.shown, re.compile(pattern, re.MULTILINE).search, within=within)

    def until_gone(self, pattern: str) -> str:
        """Wait until no line of the screen matches `pattern`, and return the screen."""
        wanted = re.compile(pattern, re.MULTILINE)
        return until(self.shown, lambda shown: wanted.search(shown) is None)

    def until_prompt(self, prompt: str, *, within: float = PATIENCE) -> None:
        """Wait until the last line is just `prompt`: "in 3>"."""
        until(self.last, lambda last: last == prompt, within=within)

    def ask(self, line: str) -> str:
        """Enter a command at a prompt of these tests, wait for the next one, and return what stands between."""
        before = self.last()
        match = _PROMPT.fullmatch(before)
        assert match, f"there is no prompt:\n{self.shown()}"
        after = f"{match[1]} {int(match[2]) + 1}>"
        self.enter(line)
        self.until_prompt(after)
        whole = self.server.tmux("capture-pane", "-p", "-J", "-S", "-", "-t", self.pane).rstrip()
        _, _, answer = whole.rpartition(f"\n{before} " if f"\n{before} " in whole else f"{before} ")
        _, _, answer = answer.removesuffix(after).partition("\n")
        return "\n".join(part.rstrip() for part in answer.splitlines())


@contextmanager
def screens(account: Account, environment: Mapping[str, str]) -> Iterator[Screens]:
    """Run a tmux server of `account`'s own until the block ends; whatever runs in its terminals is hung up."""
    if shutil.which("tmux") is None:
        pytest.skip("needs tmux: apt-get install tmux")
    directory = Path(tempfile.mkdtemp(prefix="devbox-tmux-", dir="/tmp"))  # a socket's path is at most 107 bytes
    try:
        (directory / "settings").write_text(_SETTINGS)
        if os.getuid() == 0:
            os.chown(directory, account.uid, account.gid)
        server = Screens(directory=directory, account=account, environment=environment)
        server.tmux("start-server", ";", "set", "-s", "exit-empty", "off")
        try:
            yield server
        finally:
            server.tmux("kill-server")
    finally:
        shutil.rmtree(directory)
