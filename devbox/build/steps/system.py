"""System packages of the families that the Lock cannot pin (apk, dnf); `apt` has the Debian family. Pure.

Downloads and package lists lie in a cache mount, one per distribution and version, so that nothing of them
gets into the layer; what the package managers write beside the packages (logs, caches with times in them) is
removed, so that layers of two machines stay comparable.
"""

from collections.abc import Callable, Sequence

from devbox.build.recipe import BaseImage, Step
from devbox.build.steps.script import locked_cache, quoted, retried, script
from devbox.errors import BaseImageError

KEY = "packages.system"

_DNF_NOISE = ("/var/log/dnf*", "/var/log/hawkey.log", "/var/cache/dnf", "/var/cache/libdnf5", "/var/lib/dnf/history*")


def system_packages(base: BaseImage, packages: Sequence[str]) -> Step | None:
    """Return the step that installs `packages`, or None for none.

    Raises `BaseImageError` if devbox does not know the base's package manager.
    """
    names = sorted(set(packages))
    if not names:
        return None
    render = _MANAGERS.get(base.family)
    if render is None:
        raise BaseImageError(
            f"{base.reference} has none of the package managers that devbox knows (apt, apk, dnf)",
            hint="choose another base, or install the packages in its Dockerfile and empty packages.system",
        )
    cache, lines = render(base, names)
    return Step(name="system packages", key=KEY, script=script(base.epoch, lines), caches=(cache,))


def _apk(base: BaseImage, names: Sequence[str]) -> tuple[str, list[str]]:
    cache = _cache_name("apk", base)
    command = f'apk add --no-progress --wait 120 --cache-dir "$cache" --update-cache -- {quoted(names)}'
    return cache, [*locked_cache(cache), *retried(command), "rm -rf /var/cache/apk/* /var/log/apk.log"]


def _dnf(base: BaseImage, names: Sequence[str]) -> tuple[str, list[str]]:
    cache = _cache_name("dnf", base)
    options = '--setopt=install_weak_deps=False --setopt=keepcache=True --setopt=cachedir="$cache" --setopt=retries=3'
    return cache, [
        *locked_cache(cache),
        f"dnf install -y {options} -- {quoted(names)}",
        f"rm -rf {' '.join(_DNF_NOISE)}",
    ]


def _cache_name(manager: str, base: BaseImage) -> str:
    parts = [manager, base.distribution, base.version or "rolling", base.architecture]
    return "-".join("".join(char if char.isalnum() or char == "." else "-" for char in part) for part in parts)


_MANAGERS: dict[str, Callable[[BaseImage, Sequence[str]], tuple[str, list[str]]]] = {
    "alpine": _apk,
    "fedora": _dnf,
}
