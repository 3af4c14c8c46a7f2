"""The verbs: names, aliases, groups and one line each. A verb's own module is imported when it is called."""

import difflib
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One verb in the overview. Its command is `command` in `devbox.cli.verbs.<module>`."""

    name: str
    short: str
    module: str = ""
    aliases: tuple[str, ...] = ()


CATALOGUE: Final[tuple[tuple[str, tuple[Entry, ...]], ...]] = (
    (
        "Every day",
        (
            Entry(name="shell", short="bring the environment up and be in it", aliases=("ssh",)),
            Entry(name="up", short="make the environment what the profile says"),
            Entry(name="exec", short="run a command in the running environment", module="exec_verb"),
            Entry(name="run", short="run a task of the profile, and first what it needs"),
            Entry(name="test", short="run the project's tests"),
            Entry(name="tasks", short="list the tasks"),
            Entry(name="status", short="say what is there and whether it fits the profile"),
            Entry(name="code", short="open an editor of this machine in the environment"),
            Entry(name="port", short="list, look up and forward ports of this machine that lead inside"),
            Entry(name="sync", short="see and steer how files are kept equal here and inside"),
            Entry(name="logs", short="show what the environment or its last build wrote"),
            Entry(name="halt", short="stop the environment; what it holds stays", aliases=("stop",)),
            Entry(name="suspend", short="stop a machine and keep what runs in it"),
            Entry(name="resume", short="let what was kept go on"),
            Entry(name="snapshot", short="keep a machine under a name, and let it be as it was then"),
            Entry(name="destroy", short="take the environment away; images and your files stay"),
        ),
    ),
    (
        "Profile",
        (
            Entry(name="init", short="write a devbox.toml that fits this repo"),
            Entry(name="detect", short="say what this repo needs, and which lines say so"),
            Entry(name="config", short="show the effective profile and where each value comes from"),
            Entry(name="profiles", short="list the base profiles that a profile can extend, or show one"),
            Entry(name="schema", short="print the JSON Schema of devbox.toml"),
            Entry(name="trust", short="agree to what the profile asks of this machine"),
            Entry(name="untrust", short="take that back"),
        ),
    ),
    (
        "Images and machine",
        (
            Entry(name="build", short="make the image and start nothing"),
            Entry(name="verify", short="compare what the image holds with other builds"),
            Entry(name="export", short="write the image's build steps for other builders"),
            Entry(name="add", short="add packages, to the environment that runs too"),
            Entry(name="remove", short="take packages away again"),
            Entry(name="lock", short="write down exactly what the environment is made of"),
            Entry(name="list", short="list your environments on every engine in reach", module="list_verb"),
            Entry(name="prune", short="remove what no environment of yours needs"),
            Entry(
                name="ssh-config", short="let ssh, and whatever knows ssh, into the environment", module="ssh_config"
            ),
            Entry(name="doctor", short="check this machine and say what to do"),
            Entry(name="completion", short="print a completion script for your shell"),
        ),
    ),
)

ENTRIES: Final[dict[str, Entry]] = {entry.name: entry for _, group in CATALOGUE for entry in group}
# Verbs that programs call; no list shows them.
HIDDEN: Final[dict[str, Entry]] = {
    "settle": Entry(name="settle", short="make the image behind add or remove", module="settle"),
    "on-change": Entry(name="on-change", short="do what follows from changed files", module="on_change"),
    "agent-relay": Entry(name="agent-relay", short="lead to an agent through its engine", module="agent_relay"),
    "ssh-proxy": Entry(name="ssh-proxy", short="speak SSH with the client that started it", module="ssh_proxy"),
}
ALIASES: Final[dict[str, str]] = {alias: entry.name for entry in ENTRIES.values() for alias in entry.aliases}


def resolve(word: str) -> Entry | None:
    """Return the verb called `word`, by its name or an alias."""
    return ENTRIES.get(ALIASES.get(word, word)) or HIDDEN.get(word)


def module_name(entry: Entry) -> str:
    """Return the module that holds the verb's command."""
    return f"devbox.cli.verbs.{entry.module or entry.name}"


def suggest(word: str) -> str | None:
    """Return the verb that somebody who typed `word` most likely meant."""
    close = difflib.get_close_matches(word.lower(), [*ENTRIES, *ALIASES], n=1, cutoff=0.6)
    return close[0] if close else None
