"""The command lines that the hot path understands: the plain ones. All others are left to the command line proper."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

VERBS = {"shell": "shell", "ssh": "shell", "exec": "exec", "up": "up", "status": "status"}
_SWITCHES = {"-q": "quiet", "--quiet": "quiet", "--json": "json", "--no-input": "no_input"}
_PLACE = {"-C": "project", "--project": "project"}
_MACHINE = {"-m": "machine", "--machine": "machine"}
_DEFAULT = "default"  # the same as `devbox.profile.several.DEFAULT`
_EXEC_SWITCHES = {"-d": "detach", "--detach": "detach"}
_EXEC_VALUES = {"-u": "user", "--user": "user", "-w": "workdir", "--workdir": "workdir", "-e": "env", "--env": "env"}
_HOST_ONLY = ("/proc", "/sys", "/dev")


class Words:
    """A command line that was understood; the options have the names that they have in the help."""

    __slots__ = (
        "all",
        "argv",
        "detach",
        "env",
        "json",
        "machine",
        "no_input",
        "project",
        "quiet",
        "user",
        "verb",
        "workdir",
    )

    def __init__(self) -> None:
        self.verb = ""
        self.argv: list[str] = []
        self.project: str | None = None
        self.machine = ""  # the name of one of several; empty: none was named, or the profile itself
        self.quiet = self.json = self.no_input = self.detach = False
        self.all = False  # every machine of the project is meant
        self.user: str | None = None
        self.workdir: str | None = None
        self.env: list[str] = []


def parse(arguments: Sequence[str]) -> Words | None:
    """Return what `arguments` (without the program's name) ask for; None for all that is not plain."""
    words = Words()
    rest = list(arguments)
    while rest:
        word = rest[0]
        if word == "--" or not word.startswith("-"):
            if words.verb:
                break
            words.verb = VERBS.get(word, "")
            if not words.verb:
                return None
            del rest[0]
        elif not _option(words, rest):
            return None
    if rest[:1] == ["--"]:
        del rest[0]
    words.argv = rest
    words.all = words.verb in ("up", "status") and not words.machine
    if words.machine == _DEFAULT:
        words.machine = ""
    return words if words.verb and _is_plain(words) else None


def _option(words: Words, rest: list[str]) -> bool:
    """Take the option that `rest` begins with; False if it is not one of those known here."""
    name, equals, value = rest.pop(0).partition("=")
    switches, values = dict(_SWITCHES), dict(_PLACE)
    if words.verb:
        values.update(_MACHINE)
    if words.verb == "exec":
        switches.update(_EXEC_SWITCHES)
        values.update(_EXEC_VALUES)
    if name in switches:
        setattr(words, switches[name], True)
        return not equals
    if name not in values or (equals and not name.startswith("--")) or (not equals and not rest):
        return False
    if not equals:
        value = rest.pop(0)
    if values[name] == "env":
        words.env.append(value)
    else:
        setattr(words, values[name], value)
    return True


def _is_plain(words: Words) -> bool:
    """Whether the values are ones that nobody could object to; what is wrong with others is said elsewhere."""
    if words.verb == "exec" and not words.argv:
        return False
    if (words.verb in ("up", "status") and words.argv) or not _is_machine(words.machine):
        return False
    if words.project is not None and (not words.project or words.project.startswith("~")):
        return False
    if words.user is not None and not _is_user(words.user):
        return False
    if words.workdir is not None and not _is_guest_path(words.workdir):
        return False
    return all(_is_variable(entry) for entry in words.env)


def _is_machine(text: str) -> bool:
    return not text or (text.isascii() and text.replace("-", "a").isalnum())


def _is_user(text: str) -> bool:
    return text[:1].isalnum() and text.isascii() and text.replace(":", "").replace("_", "").replace("-", "").isalnum()


def _is_guest_path(path: str) -> bool:
    if not path.startswith("/") or any(path == host or path.startswith(host + "/") for host in _HOST_ONLY):
        return False
    return path == "/" or not any(part in ("", ".", "..") for part in path.split("/")[1:])


def _is_variable(entry: str) -> bool:
    name, equals, _ = entry.partition("=")
    plain = name.replace("_", "a")
    return bool(equals) and plain.isascii() and plain.isalnum() and not plain[0].isdigit()
