"""C and C++: compilers, a debugger, and the build systems that the project uses. Pure."""

from collections.abc import Iterator

from devbox.build.languages.base import Part, Setting
from devbox.build.languages.shared import build_directories, with_toolchain
from devbox.build.manifests import C
from devbox.build.manifests.c import BUILD

_BASIC = {
    "debian": ("gdb", "make", "pkg-config"),
    "alpine": ("gdb", "make", "pkgconf"),
    "fedora": ("gdb", "make", "pkgconf-pkg-config"),
}
_CMAKE = ("CMakeLists.txt",)
_MESON = ("meson.build",)
_NINJA = (*_CMAKE, *_MESON, "build.ninja")
_AUTOTOOLS = ("configure.ac", "configure.in", "Makefile.am")
_NINJA_PACKAGE = {"debian": "ninja-build", "alpine": "samurai", "fedora": "ninja-build"}


def c(setting: Setting) -> Part | None:
    """Return the share of C and C++: system packages, and a place of its own for what CMake and Meson build."""
    if setting.profile.packages.c is None:
        return None
    names = {file.path for file in setting.inputs.group(C)}
    volumes = (BUILD,) if BUILD in names and names.intersection((*_CMAKE, *_MESON)) else ()
    basic = _BASIC.get(setting.base.family)
    own = Part(
        system=(*basic, *_tools(names, setting.base.family)) if basic else (),
        chain=build_directories(setting, volumes, key=C),
        volumes=volumes,
    )
    return with_toolchain(setting, "c", own)


def _tools(names: set[str], family: str) -> Iterator[str]:
    if names.intersection(_CMAKE):
        yield "cmake"
    if names.intersection(_MESON):
        yield "meson"
    if names.intersection(_NINJA):
        yield _NINJA_PACKAGE[family]
    if names.intersection(_AUTOTOOLS):
        yield from ("autoconf", "automake", "libtool")
