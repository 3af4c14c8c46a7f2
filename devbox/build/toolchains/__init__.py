"""Toolchains in the version that the profile asks for: from the image, the distribution, or who ships the real thing.

`toolchain` is what languages call. Never another version without a word: what is installed is looked at, and what
cannot be had is a `ToolchainError`. Pure.
"""

from collections.abc import Callable
from typing import Final

from devbox.build.languages.base import Part, Setting
from devbox.build.recipe import BaseImage
from devbox.build.toolchains import distribution, go, node, servers
from devbox.build.toolchains.refusal import sentence, unavailable
from devbox.build.toolchains.sources import Wanted
from devbox.profile.toolchains import releases
from devbox.profile.toolchains.constraint import Constraint, parse

__all__ = ["check_version", "declared", "held", "toolchain"]

_DECLARED: Final = {  # set by the official images
    "python": "PYTHON_VERSION",
    "node": "NODE_VERSION",
    "go": "GOLANG_VERSION",
    "rust": "RUST_VERSION",
    "java": "JAVA_VERSION",
    "ruby": "RUBY_VERSION",
    "php": "PHP_VERSION",
    "c": "GCC_VERSION",
}
_FETCHED: Final[dict[str, Callable[[Setting, Wanted], Part]]] = {
    "node": node.from_npm,
    "go": go.from_modules,
    "python": servers.from_uv,
    "rust": servers.from_rustup,
}


def toolchain(setting: Setting, tool: str) -> Part:
    """Return the share of the toolchain `tool` ("python", "node", "go", "rust", "java", "ruby", "php", "c").

    The version is the one of `packages.<tool>.version`; without one it is the image's or the distribution's own. A
    language joins this with its own share, before it (`joined`): from then on the programs are on PATH under their
    usual names (`python3`, `node` and `npm`, `go`, `rustc` and `cargo`, `java` and `javac`, `ruby`, `php`, `gcc`; of
    another than the default GCC by CC and CXX). Its steps put `Part.path` before PATH themselves as far as they run
    before the image has it.

    If the chain ends with a `Question`, the version is not known yet. Raises `ToolchainError` if it is known that no
    source has the version.
    """
    base, wanted = setting.base, _asked(setting, tool)
    own = declared(base, tool)
    if own is not None:
        if wanted.includes(own):
            return Part()
        raise unavailable(base, tool, wanted, [own])
    release = releases.release_of(base.distribution, base.version)
    key = f"packages.{tool}"
    if wanted.anything or not releases.known(release):
        return distribution.share(base, tool, wanted, next(iter(releases.held(release, tool)), None), key=key)
    found = releases.fitting(release, tool, wanted)
    if found is not None:
        return distribution.share(base, tool, wanted, found, key=key)
    versions = [one.version for one in releases.held(release, tool)]
    if tool not in _FETCHED or base.architecture not in node.NAMES:
        raise unavailable(base, tool, wanted, versions)
    said = sentence(base, tool, wanted, versions)
    title = releases.TITLES[tool]
    return _FETCHED[tool](setting, Wanted(tool=tool, title=title, constraint=wanted, key=key, said=said))


def _asked(setting: Setting, tool: str) -> Constraint:
    part = getattr(setting.profile.packages, tool)
    return parse(part.version if part is not None and part.version is not None else "*")


def declared(base: BaseImage, tool: str) -> str | None:
    """Return the exact version of `tool` that the image says it brings, or None."""
    return dict(base.env).get(_DECLARED[tool]) or None


def held(base: BaseImage, tool: str) -> str | None:
    """Return the version of `tool` that an environment on `base` gets by default, as far as it is known beforehand."""
    found = releases.held(releases.release_of(base.distribution, base.version), tool)
    return declared(base, tool) or (found[0].version if found else None)


def check_version(base: BaseImage, tool: str, want: str | None) -> None:
    """Raise `ToolchainError` if it is known that `base` does not hold version `want` of `tool` by itself."""
    have = held(base, tool)
    if want is not None and have is not None and not parse(want).meets(have):
        raise unavailable(base, tool, parse(want), [have])
