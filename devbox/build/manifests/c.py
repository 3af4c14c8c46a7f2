"""What C and C++ are built with. Only the names count: dependencies are system packages."""

from devbox.build.inputs import Collector

C = "packages.c"
BUILD = "build"  # where CMake and Meson are told to build, mostly
_MADE_BY = ("CMakeCache.txt", "meson-info", "build.ninja")  # in a directory that one of them made
MANIFESTS = (
    "CMakeLists.txt", "meson.build", "configure.ac", "configure.in", "configure", "Makefile.am",
    "Makefile", "makefile", "GNUmakefile", "build.ninja",
)  # fmt: skip


def read_c(collector: Collector) -> None:
    """Take the names of what the project is built with; `BUILD` among them if that directory is free for the builds."""
    for name in MANIFESTS:
        if collector.exists(name):
            collector.put(C, name, b"")
    own = collector.exists(BUILD) and not any(collector.exists(f"{BUILD}/{name}") for name in _MADE_BY)
    if not own:
        collector.put(C, BUILD, b"")
