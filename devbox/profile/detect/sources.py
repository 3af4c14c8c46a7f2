"""Where a project says which version of a language it wants, and what all these places come to.

The order is that of docs/reference/detection.md: a variable, version files, manifests. Later places may narrow what an
earlier one asks for; what excludes it is a contradiction.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from devbox.profile.detect.evidence import Claim, Evidence
from devbox.profile.detect.grammars import Grammar, exact, java_exact
from devbox.profile.detect.view import View
from devbox.profile.toolchains.constraint import overlap, parse

FILE, MANIFEST = 1, 2  # ranks
_ALIASES: Final[Mapping[str, Mapping[str, str]]] = {
    "node": {
        "lts/argon": "4", "lts/boron": "6", "lts/carbon": "8", "lts/dubnium": "10", "lts/erbium": "12",
        "lts/fermium": "14", "lts/gallium": "16", "lts/hydrogen": "18", "lts/iron": "20", "lts/jod": "22",
        "lts/krypton": "24",
    },
}  # fmt: skip
_ANY_WORDS: Final = frozenset({"latest", "stable", "system", "lts", "lts/*", "node", "default", "current", "*"})
_MISE: Final = ("mise.toml", ".mise.toml", "mise/config.toml", ".mise/config.toml", ".config/mise.toml")
TOOL_VERSIONS: Final = ".tool-versions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """How one language's version is written where no manifest of its own says it.

    `files`: name to a pattern for the line that has the version. `tools`: what version managers call it.
    """

    name: str
    title: str
    files: Mapping[str, str]
    tools: tuple[str, ...]
    exact: Grammar = exact


_WHOLE: Final = r"\s*(?P<version>[^\s#]+)"
PYTHON: Final = Language(
    name="python",
    title="Python",
    files={".python-version": r"\s*(?:c?python-)?(?P<version>[^\s#]+)", "runtime.txt": r"python-(?P<version>\S+)"},
    tools=("python",),
)
NODE: Final = Language(
    name="node",
    title="Node.js",
    files={".nvmrc": _WHOLE, ".node-version": _WHOLE},
    tools=("nodejs", "node"),
)
GO: Final = Language(
    name="go", title="Go", files={".go-version": r"\s*(?:go)?(?P<version>[^\s#]+)"}, tools=("golang", "go")
)
RUST: Final = Language(name="rust", title="Rust", files={}, tools=("rust",))
JAVA: Final = Language(
    name="java",
    title="Java",
    files={".java-version": _WHOLE, ".sdkmanrc": r"\s*java\s*=\s*(?P<version>\S+)"},
    tools=("java",),
    exact=java_exact,
)
RUBY: Final = Language(
    name="ruby", title="Ruby", files={".ruby-version": r"\s*(?:ruby-)?(?P<version>[^\s#]+)"}, tools=("ruby",)
)
PHP: Final = Language(name="php", title="PHP", files={".php-version": _WHOLE}, tools=("php",))
ELIXIR: Final = Language(name="elixir", title="Elixir", files={".elixir-version": _WHOLE}, tools=("elixir",))
DOTNET: Final = Language(name="dotnet", title=".NET", files={}, tools=("dotnet", "dotnet-core"))


def version_claims(view: View, language: Language) -> list[Claim]:
    """Return what the version files of the project say of `language`, in the order of precedence."""
    written = [*_own_files(view, language), *_tool_versions(view, language), *_mise(view, language)]
    found = [claim(view, language, text, file=file, line=line, rank=FILE) for file, line, text in written]
    return [one for one in found if one is not None]


def claim(
    view: View,
    language: Language,
    text: str,
    *,
    file: str,
    line: int | None,
    rank: int = MANIFEST,
    grammar: Grammar | None = None,
) -> Claim | None:
    """Return what `text` at `file` and `line` asks for; None, with a problem, if it is no version."""
    at = Evidence(file=file, line=line, what=f"{language.title} {text.strip()}")
    word = text.strip().lower()
    word = _ALIASES.get(language.name, {}).get(word, word)
    if grammar is None and word in _ANY_WORDS:
        return Claim(at=at, wanted=parse("*"), rank=rank)
    try:
        return Claim(at=at, wanted=(grammar or language.exact)(word if grammar is None else text), rank=rank)
    except ValueError:
        message = f"{text.strip()[:80]!r} is no version of {language.title} that devbox knows"
        view.complain(
            message,
            at=at,
            hint=f'write a number there, or DEVBOX_{language.name.upper()}_VERSION, as "{_sample(language)}"',
        )
        return None


def agree(view: View, language: Language, claims: Iterable[Claim | None]) -> tuple[tuple[Claim, ...], str | None]:
    """Return the claims in their order, and the version that satisfies all; None without any.

    What the user's own environment asks for goes before all. Otherwise claims that exclude each other are a problem.
    """
    known = tuple(sorted((one for one in claims if one is not None), key=lambda one: one.rank))
    wanted = view.wanted.get(language.name)
    if wanted:
        variable = f"DEVBOX_{language.name.upper()}_VERSION"
        at = Evidence(file=variable, line=None, what=f"{language.title} {wanted}")
        return (Claim(at=at, wanted=parse("*"), rank=0), *known), wanted
    together = overlap(one.wanted for one in known)
    if together is not None:
        return known, None if together.anything else together.text
    for one, other in _rivals(known):
        hint = f"keep one of them, or set DEVBOX_{language.name.upper()}_VERSION"
        view.complain(
            f"asks for {one.at.what}, which {other.at.place} ({other.at.what}) excludes", at=one.at, hint=hint
        )
    return known, None


def _rivals(claims: tuple[Claim, ...]) -> Iterator[tuple[Claim, Claim]]:
    """Yield each claim of the first pair that excludes each other, with its rival; all neighbours if no pair does."""
    pairs = [(one, other) for index, one in enumerate(claims) for other in claims[index + 1 :]]
    first = next((pair for pair in pairs if not pair[0].wanted.intersects(pair[1].wanted)), None)
    for one, other in [first] if first else pairs:
        yield one, other
        yield other, one


def _own_files(view: View, language: Language) -> Iterator[tuple[str, int, str]]:
    for file, pattern in language.files.items():
        for number, line in view.lines(file) if view.has(file) else ():
            match = re.match(pattern, line)
            if match and not line.lstrip().startswith("#"):
                yield file, number, match["version"]
                break  # pyenv lists several; the first is the one that runs


def _tool_versions(view: View, language: Language) -> Iterator[tuple[str, int, str]]:
    for number, line in view.lines(TOOL_VERSIONS) if view.has(TOOL_VERSIONS) else ():
        words = line.partition("#")[0].split()
        if len(words) > 1 and words[0] in language.tools:
            yield TOOL_VERSIONS, number, _bare(words[1])
            return


def _mise(view: View, language: Language) -> Iterator[tuple[str, int, str]]:
    for file in _MISE:
        document = view.toml(file) if view.has(file) else None
        tools: object = document.tree.get("tools") if document else None
        if not isinstance(tools, dict):
            continue
        for tool in language.tools:
            written = tools.get(tool)
            written = written[0] if isinstance(written, list) and written else written
            written = written.get("version") if isinstance(written, dict) else written
            if isinstance(written, str | int | float) and document:
                yield file, document.lines.get(f"tools.{tool}", 1), _bare(str(written))


def _bare(text: str) -> str:
    """Return `text` without mise's and asdf's own prefixes."""
    return re.sub(r"\A(?:prefix|sub-\d+|ref|latest):", "", text)


def _sample(language: Language) -> str:
    samples = {"python": "3.11", "node": "20", "go": "1.22", "java": "17", "rust": "1.75", "ruby": "3.1", "php": "8.2"}
    return samples.get(language.name, "1")


def tool_files(view: View) -> Iterator[Evidence]:
    """Yield the files of version managers that the project has."""
    if view.has(TOOL_VERSIONS):
        yield Evidence(file=TOOL_VERSIONS, line=None, what="versions for asdf")
    yield from (Evidence(file=file, line=None, what="versions for mise") for file in _MISE if view.has(file))


Detector = Callable[[View], object]
