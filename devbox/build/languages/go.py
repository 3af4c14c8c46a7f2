"""Go: the modules of go.mod, in a module cache outside of the repo. Pure.

go.sum guards them. What the compiler makes lies in the user's ~/.cache, as always.
"""

import shlex

from devbox.build.languages.base import Part, Setting
from devbox.build.languages.shared import (
    Work,
    keep_function,
    listed,
    no_packages,
    own_home,
    owned_by_user,
    step,
    with_toolchain,
)
from devbox.build.manifests import GO
from devbox.build.recipe import Step
from devbox.build.steps.script import locked_cache
from devbox.profile.model import Managed

MODULES = "/opt/go-modules"
_OWNED = ("GOPROXY", "GOPRIVATE", "GONOPROXY", "GONOSUMDB", "GOSUMDB", "GOINSECURE", "GOAUTH")
# gcc and libc6-dev: for cgo and the race detector; git: for modules that no proxy has
_SYSTEM = {
    "debian": ("ca-certificates", "gcc", "git", "libc6-dev"),
    "alpine": ("ca-certificates", "gcc", "git", "musl-dev"),
    "fedora": ("ca-certificates", "gcc", "git", "glibc-devel"),
}


def go(setting: Setting) -> Part | None:
    """Return Go's share: the toolchain, and the modules of go.mod or go.work, if there is one."""
    wanted = setting.profile.packages.go
    if wanted is None:
        return None
    own = Part(
        system=_SYSTEM.get(setting.base.family, ()),
        path=(f"{setting.user.home}/go/bin",),
        # GOTOOLCHAIN: or Go itself fetches another version than the profile asks for
        env=(("GOMODCACHE", MODULES), ("GOTOOLCHAIN", "local")),
        chain=_chain(setting, wanted),
    )
    return with_toolchain(setting, "go", own)


def _chain(setting: Setting, wanted: Managed) -> tuple[Step, ...]:
    if not setting.inputs.group(GO):
        return no_packages(setting, wanted, "go.mod", key=GO, place=MODULES)
    return (_modules(setting, wanted),)


def _modules(setting: Setting, wanted: Managed) -> Step:
    context = setting.inputs.group(GO)
    places = ["."] if listed(context, "go.work") else listed(context, "go.mod")
    command = wanted.install or "go mod download"
    lines = [
        *locked_cache("go"),
        *own_home(),
        f"export GOMODCACHE={MODULES} GOFLAGS=-modcacherw GOTOOLCHAIN=local",
        f'mkdir -p {MODULES}/cache/download "$cache/download"',  # a module that needs no other makes none
        'GOPROXY="file://$cache/download,${GOPROXY:-$(go env GOPROXY)}"; export GOPROXY',
        *(f"( cd {shlex.quote(place)}; {command}\n)" for place in places),
        f"cd {MODULES}/cache",
        "rm -rf lock vcs download/sumdb",
        "find . -type f \\( -path '*/@v/*.lock' -o -path '*/@v/list' \\) -exec rm -f {} +",
        *keep_function(),
        f'keep {MODULES}/cache/download "$cache/download"',
        owned_by_user(setting, MODULES),
    ]
    return step(
        setting,
        Work(key=GO, name="go modules", lines=tuple(lines), context=context, cache="go", owned=_OWNED),
    )
