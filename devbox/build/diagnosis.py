"""Why a step failed, read from the words of package managers: a host that did not answer, a package that no index has.

Pure. Best effort: what is not recognised is shown as it is, so nothing here may claim what the words do not say.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

_HOST: Final = r"(?P<host>[A-Za-z0-9][A-Za-z0-9._-]*(?::\d+)?)"
_URL: Final = rf"https?://(?:[^/@\s]*@)?{_HOST}"
_SILENT: Final = (
    r"(?:Could not connect|Unable to connect|Connection (?:timed out|failed|refused|reset)|Could not resolve|"
    r"Temporary failure resolving|Network is unreachable|No route to host|Read timed out|ECONNREFUSED|ECONNRESET|"
    r"ETIMEDOUT|ENOTFOUND|EAI_AGAIN|socket hang up|temporary error|network error|Empty reply)"
)
_NO_ANSWER: Final = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?:Could not connect to|Cannot initiate the connection to|Unable to connect to) {_HOST}",  # apt
        rf"(?:Temporary failure resolving|Could not resolve) '{_HOST}'",  # apt
        rf"Failed to fetch {_URL}\S*  .*{_SILENT}",  # apt
        rf"fetching {_URL}\S*: .*{_SILENT}",  # apk
        rf"request to {_URL}\S* failed, reason: .*{_SILENT}",  # npm
        rf"HTTPS?ConnectionPool\(host='{_HOST}', port=\d+\): (?:Max retries exceeded|Read timed out)",  # pip, requests
        rf"unable to access '{_URL}\S*': .*(?:{_SILENT}|Failed to connect|Couldn't connect)",  # git
        rf"Could not resolve host: {_HOST}",  # curl, git, dnf
        rf"Failed to connect to {_HOST} port \d+",  # curl
        rf"unable to resolve host address .{_HOST}",  # wget
        rf"error sending request for url \({_URL}",  # uv, cargo
        rf"ssh: connect to host {_HOST} port \d+: ",
    )
)
# pip, before version 25, does not say to which host.
_NO_ANSWER_PIP: Final = re.compile(r"connection broken by '(?:NewConnection|ConnectTimeout|ReadTimeout|NameResolution)")
_PIP_INDEX: Final = re.compile(rf"Looking in indexes: {_URL}")
_NAME: Final = r"(?P<name>[^\s'\"]+)"
_NO_SUCH: Final = tuple(
    (index, re.compile(pattern))
    for index, pattern in (
        ("apt", rf"E: Unable to locate package {_NAME}"),
        ("apt", rf"E: Package '{_NAME}' has no installation candidate"),
        ("apt", rf"E: Version '(?P<version>[^']+)' for '{_NAME}' was not found"),
        ("apk", rf"^\s*{_NAME} \(no such package\):"),
        ("dnf", rf"(?:No match for argument|Unable to find a match): {_NAME}"),
        ("pip", rf"No matching distribution found for {_NAME}"),
        ("pip", rf"Because {_NAME} was not found in the package registry"),
        ("pip", rf"Because there is no version of {_NAME} and you require"),
        (
            "npm",
            rf"npm (?:ERR!|error) (?:404 +'?|notarget No matching version found for ){_NAME}'?(?: is not in this|\.$)",
        ),
    )
)
_INDEXES: Final = {
    "apt": "the base's package archive (apt)",
    "apk": "the base's package repositories (apk)",
    "dnf": "the base's package repositories (dnf)",
    "pip": "the Python package index",
    "npm": "the npm registry",
}
_ARCHIVE: Final = re.compile(r"^(?:Hit|Get|Ign|Err):\d+ (?P<place>\S+ \S+) InRelease")
_ALTERED: Final = re.compile(
    r"Hash Sum mismatch|File has unexpected size|THESE PACKAGES DO NOT MATCH THE HASHES|EINTEGRITY|Hash mismatch for"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """`why`: completes "step X failed: ..."; `hint`: what to do."""

    why: str
    hint: str


def diagnose(lines: Sequence[str]) -> Diagnosis | None:
    """Return why the step that wrote `lines` last failed, if they say it in a way that is known here.

    A host that does not answer comes first: package managers go on and then miss a package, too.
    """
    hosts = _silent_hosts(lines)
    if hosts:
        return Diagnosis(
            why=f"no answer from {', '.join(hosts)}",
            hint="look at the network and the proxy, then run the same command again; the steps before are kept",
        )
    missing = list(_missing(lines))
    if missing:
        index = missing[0][0]
        names = ", ".join(dict.fromkeys(name for _, name in missing))
        return Diagnosis(why=f"{names} is not to be had from {_place(index, lines)}", hint=_correct(index, names))
    if any(_ALTERED.search(line) for line in lines):
        return Diagnosis(
            why="what was downloaded is not what its index says (cut short or altered on the way)",
            hint="run the same command again; if that does not help, ask whoever runs the mirror or proxy",
        )
    return None


def _silent_hosts(lines: Iterable[str]) -> list[str]:
    found: dict[str, None] = {}
    index, silent = "the Python package index", False
    for line in lines:
        if match := _PIP_INDEX.search(line):
            index = match["host"]
        silent = silent or _NO_ANSWER_PIP.search(line) is not None
        for pattern in _NO_ANSWER:
            if match := pattern.search(line):
                found[match["host"].rstrip(".")] = None
                break
    return list(found) or [index] * silent


def _missing(lines: Iterable[str]) -> Iterable[tuple[str, str]]:
    for line in lines:
        for index, pattern in _NO_SUCH:
            if match := pattern.search(line):
                version = match.groupdict().get("version")
                yield index, f"{match['name']}={version}" if version else match["name"].rstrip(".")
                break


def _place(index: str, lines: Iterable[str]) -> str:
    """Return the index in words; of apt with the archives that were asked, if the lines still have them."""
    asked = dict.fromkeys(match["place"] for line in lines if (match := _ARCHIVE.search(line)))
    return f"{_INDEXES[index]}: {', '.join(asked)}" if index == "apt" and asked else _INDEXES[index]


def _correct(index: str, names: str) -> str:
    if index == "apt" and "=" in names:
        return "an archive keeps the newest version alone; take the version out, or write the one that it has now"
    return "correct the name, then run the same command again"
