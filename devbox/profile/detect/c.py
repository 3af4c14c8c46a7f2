"""C and C++: CMake, Meson, autotools, Make."""

import re
from collections.abc import Iterator
from typing import Final

from devbox.profile.detect.evidence import Evidence, Named, Stack, Task
from devbox.profile.detect.parts import MAKEFILES, first_of_each, make_tasks, needs, targets
from devbox.profile.detect.tables import c as tables
from devbox.profile.detect.view import View

_SOURCES: Final = (".c", ".cc", ".cpp", ".cxx", ".h", ".hpp")
_COMPILES: Final = re.compile(r"\$\((?:CC|CXX|LD)\)|\b(?:gcc|g\+\+|clang|cc)\s+-|^(?:CC|CXX|CFLAGS|CXXFLAGS)\s*[:?+]?=")
_FIND: Final = re.compile(r"find_package\s*\(\s*([\w.+-]+)", re.IGNORECASE)
_CHECK: Final = re.compile(r"pkg_(?:check|search)_modules?\s*\(([^)]*)\)?", re.IGNORECASE)
_DEPENDENCY: Final = re.compile(r"\bdependency\s*\(\s*'([^']+)'")
_LIBRARY: Final = re.compile(r"find_library\s*\(\s*'([^']+)'")
_PKG: Final = re.compile(r"PKG_CHECK_MODULES\s*\(\s*\[?\w+\]?\s*,\s*\[?([^\])]*)")
_LIB: Final = re.compile(r"AC_(?:CHECK_LIB|SEARCH_LIBS)\s*\(\s*\[?(\w[\w.+-]*)\]?(?:\s*,\s*\[?(\w[\w.+-]*))?")
_LINKED: Final = re.compile(r"(?<!\S)-l([A-Za-z0-9_.+-]+)")
_PKG_CONFIG: Final = re.compile(r"pkg-config\s+((?:--?[\w-]+\s+)*)([\w.+ -]+)")


def c(view: View) -> Stack | None:
    """Return the C and C++ stack of a project, or None. A Makefile alone counts where it compiles."""
    evidence = list(_evidence(view))
    if not evidence:
        return None
    dependencies = [*_cmake(view), *_meson(view), *_autoconf(view), *_make(view)]
    system = (*_tools(evidence), *_libraries(dependencies))
    services = needs(((one.name, one.at) for one in system), tables.SERVICES)
    at = evidence[0]
    return Stack(
        name="c",
        profile="c",
        key="c",
        evidence=tuple(evidence),
        system=system,
        tasks=first_of_each([*_tasks(view, at), *make_tasks(view)]),
        services=tuple(services),
    )


def _evidence(view: View) -> Iterator[Evidence]:
    for name, what in (
        ("CMakeLists.txt", "built by CMake"),
        ("meson.build", "built by Meson"),
        ("configure.ac", "configured by autoconf"),
        ("configure.in", "configured by autoconf"),
    ):
        if view.has(name):
            yield Evidence(file=name, line=None, what=what)
    if view.has("configure") and not view.has("configure.ac") and not view.has("configure.in"):
        yield Evidence(file="configure", line=None, what="a configure script")
    file = view.first(MAKEFILES)
    line = next((number for number, text in view.lines(file) if _COMPILES.search(text)), None) if file else None
    if file and line:
        yield Evidence(file=file, line=line, what="built by Make")
    elif file and any(name.endswith(_SOURCES) for name in (*view.names(), *view.names("src"))):
        yield Evidence(file=file, line=None, what="built by Make")


def _cmake(view: View) -> Iterator[tuple[str, Evidence]]:
    """Yield the packages for what CMakeLists.txt looks for."""
    for file in ("CMakeLists.txt", "src/CMakeLists.txt", "tests/CMakeLists.txt", "test/CMakeLists.txt"):
        for number, line in view.lines(file) if view.has(file) else ():
            bare = line.partition("#")[0]
            for match in _FIND.finditer(bare):
                yield from _named(
                    tables.CMAKE, match[1], Evidence(file=file, line=number, what=f"find_package {match[1]}")
                )
            for match in _CHECK.finditer(bare):
                yield from _modules(match[1], Evidence(file=file, line=number, what="pkg_check_modules"))


def _meson(view: View) -> Iterator[tuple[str, Evidence]]:
    for file in ("meson.build", "src/meson.build", "tests/meson.build", "test/meson.build"):
        for number, line in view.lines(file) if view.has(file) else ():
            bare = line.partition("#")[0]
            for match in _DEPENDENCY.finditer(bare):
                at = Evidence(file=file, line=number, what=f"dependency {match[1]}")
                yield from _modules(match[1], at)
                if match[1].lower() not in tables.MODULES:
                    yield from _named(tables.CMAKE, match[1], at)
            for match in _LIBRARY.finditer(bare):
                yield from _named(tables.LINKED, match[1], Evidence(file=file, line=number, what=f"library {match[1]}"))


def _autoconf(view: View) -> Iterator[tuple[str, Evidence]]:
    file = view.first(("configure.ac", "configure.in"))
    for number, line in view.lines(file) if file else ():
        if line.startswith("dnl") or not file:
            continue
        for match in _PKG.finditer(line):
            yield from _modules(match[1], Evidence(file=file, line=number, what="PKG_CHECK_MODULES"))
        for match in _LIB.finditer(line):
            name = match[2] if "SEARCH_LIBS" in match[0] and match[2] else match[1]
            yield from _named(tables.LINKED, name, Evidence(file=file, line=number, what=f"library {name}"))


def _make(view: View) -> Iterator[tuple[str, Evidence]]:
    file = view.first(MAKEFILES)
    for number, line in view.lines(file) if file else ():
        bare = line.partition("#")[0]
        for match in _LINKED.finditer(bare):
            yield from _named(tables.LINKED, match[1], Evidence(file=file or "", line=number, what=f"-l{match[1]}"))
        for match in _PKG_CONFIG.finditer(bare):
            yield from _modules(match[2], Evidence(file=file or "", line=number, what="pkg-config"))


def _modules(text: str, at: Evidence) -> Iterator[tuple[str, Evidence]]:
    """Yield the packages for the names of pkg-config modules in `text`, and pkg-config itself."""
    for word in re.findall(r"[A-Za-z][\w.+-]*", text):
        for name, _ in _named(tables.MODULES, word, at):
            yield name, Evidence(file=at.file, line=at.line, what=word)
            yield "pkg-config", Evidence(file=at.file, line=at.line, what=word)


def _named(table: dict[str, str], name: str, at: Evidence) -> Iterator[tuple[str, Evidence]]:
    yield from ((package, at) for package in table.get(name.lower(), "").split())


def _libraries(dependencies: list[tuple[str, Evidence]]) -> Iterator[Named]:
    by_name = dict(reversed(dependencies))
    yield from (Named(name=name, at=by_name[name]) for name in dict.fromkeys(name for name, _ in dependencies))


def _tools(evidence: list[Evidence]) -> Iterator[Named]:
    """Yield what builds it."""
    yield Named(name="build-essential", at=evidence[0])
    for at in evidence:
        for what, names in (
            ("CMake", "cmake"),
            ("Meson", "meson ninja-build"),
            ("autoconf", "autoconf automake libtool"),
        ):
            if what in at.what:
                yield from (Named(name=name, at=at) for name in names.split())


def _tasks(view: View, at: Evidence) -> Iterator[Task]:
    if view.has("CMakeLists.txt"):
        build = "cmake -S . -B build && cmake --build build"
        yield Task(name="build", run=build, at=at)
        yield Task(name="test", run=f"{build} && ctest --test-dir build --output-on-failure", at=at)
    elif view.has("meson.build"):
        setup = "{ [ -d build ] || meson setup build; }"
        yield Task(name="build", run=f"{setup} && meson compile -C build", at=at)
        yield Task(name="test", run=f"{setup} && meson test -C build", at=at)
    elif at.file.startswith("configure"):
        prepare = "" if view.has("configure") else "autoreconf -i && "
        build = f"{{ [ -f Makefile ] || {{ {prepare}./configure; }}; }} && make"
        yield Task(name="build", run=build, at=at)
        yield Task(name="test", run=f"{build} check", at=at)
    elif "all" in targets(view):
        yield Task(name="build", run="make", at=targets(view)["all"])
