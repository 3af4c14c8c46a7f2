"""Rust: the crates of Cargo.lock, in a CARGO_HOME outside of the repo. Pure.

What the compiler makes lies in the user's ~/.cache: CARGO_TARGET_DIR says so to cargo and to who looks for it.
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
    question,
    step,
    with_toolchain,
)
from devbox.build.manifests import RUST
from devbox.build.manifests.rust import CARGO_LOCK, MANIFEST
from devbox.build.recipe import RUN_DIRECTORY, Question, Step
from devbox.build.steps.script import locked_cache
from devbox.profile.model import Managed

CARGO_HOME = "/opt/cargo"
CRATES = "rust.packages"  # the question: which crates a project without a Cargo.lock comes to
_OWNED = ("CARGO_",)
_NAMES = (  # for awk, with the quotation mark between fields: the crates of a lock file that come from a registry
    '/^name = /{name=$2} /^version = /{version=$2} /^source = "(registry|sparse)/{print name, version, tolower(name)}'
)
_LIST = RUN_DIRECTORY + "/crates"  # name, version, name in lower case: a line for each crate of the lock file
_SYSTEM = {
    "debian": ("ca-certificates", "gcc", "libc6-dev"),
    "alpine": ("ca-certificates", "gcc", "musl-dev"),
    "fedora": ("ca-certificates", "gcc", "glibc-devel"),
}


def rust(setting: Setting) -> Part | None:
    """Return Rust's share: the toolchain, and the crates of the project, if it has a Cargo.toml."""
    wanted = setting.profile.packages.rust
    if wanted is None:
        return None
    env = [("CARGO_HOME", CARGO_HOME), ("CARGO_TARGET_DIR", f"{setting.user.home}/.cache/cargo-target")]
    chain = _chain(setting, wanted)
    if any(isinstance(link, Question) or link.texts for link in chain):
        # Nothing in the repo says which crates, so cargo would look for newer ones each time.
        env.append(("CARGO_NET_OFFLINE", "true"))
    own = Part(
        system=_SYSTEM.get(setting.base.family, ()),
        path=(f"{CARGO_HOME}/bin",),
        env=tuple(env),
        chain=chain,
    )
    return with_toolchain(setting, "rust", own)


def _chain(setting: Setting, wanted: Managed) -> tuple[Step | Question, ...]:
    context = setting.inputs.group(RUST)
    if not context:
        return no_packages(setting, wanted, MANIFEST, key=RUST, place=CARGO_HOME)
    if wanted.install or any(file.path == CARGO_LOCK for file in context):
        return (_crates(setting, wanted, ()),)
    asking = question(setting, _work(setting, "choose the crates", _resolving(setting)), key=CRATES)
    answer = setting.answer(asking)
    if answer is None:
        return (asking,)
    return (_crates(setting, wanted, ((CARGO_LOCK, "\n".join(answer) + "\n"),)),)


def _crates(setting: Setting, wanted: Managed, texts: tuple[tuple[str, str], ...]) -> Step:
    lines = [
        *_prepare(setting),
        *(_custom(wanted.install) if wanted.install else _fetch()),
        f"rm -f {CARGO_HOME}/.global-cache {CARGO_HOME}/.package-cache*",
        owned_by_user(setting, CARGO_HOME),
    ]
    return step(setting, _work(setting, "rust crates", lines, texts))


def _work(setting: Setting, name: str, lines: list[str], texts: tuple[tuple[str, str], ...] = ()) -> Work:
    context = setting.inputs.group(RUST)
    return Work(key=RUST, name=name, lines=tuple(lines), context=context, texts=texts, cache="cargo", owned=_OWNED)


def _prepare(setting: Setting) -> list[str]:
    """Return lines that make the place where cargo works: manifests, and for each a source, which cargo insists on."""
    places = listed(setting.inputs.group(RUST), MANIFEST)
    return [
        *locked_cache("cargo"),
        *own_home(),
        f"export CARGO_HOME={CARGO_HOME} CARGO_TERM_COLOR=never CARGO_NET_OFFLINE=false",
        f"mkdir -p {CARGO_HOME}",
        f"for place in {' '.join(map(shlex.quote, places))}; do",
        '  mkdir -p "$place/src"',
        '  : > "$place/src/lib.rs"',
        "done",
    ]


def _resolving(setting: Setting) -> list[str]:
    return [*_prepare(setting), f"cargo generate-lockfile >&2 && cat {CARGO_LOCK}"]


def _custom(command: str) -> list[str]:
    return [f"( {command}\n)"]


def _fetch() -> list[str]:
    """Return lines that fetch what the lock file names and this machine needs.

    What other projects have fetched is taken from the cache; what is new is put there.
    """
    return [
        f"awk -F '\"' '{_NAMES}' {CARGO_LOCK} > {_LIST}",
        "while read -r name version lower; do",
        '  for file in "$cache"/registry/cache/*/"$name-$version.crate" \\',
        '    "$cache"/registry/index/*/.cache/*/"$lower" "$cache"/registry/index/*/.cache/*/*/"$lower" \\',
        '    "$cache"/registry/index/*/config.json; do',
        '    [ -f "$file" ] || continue',
        f'    place={CARGO_HOME}${{file#"$cache"}}',
        '    [ -f "$place" ] || { mkdir -p "${place%/*}"; cp "$file" "$place"; }',
        "  done",
        f"done < {_LIST}",
        "host=$(rustc -vV | sed -n 's/^host: //p')",
        'cargo fetch --locked --target "$host"',
        *keep_function(),
        f'keep {CARGO_HOME}/registry/cache "$cache/registry/cache"',
        f'[ ! -d {CARGO_HOME}/registry/index ] || cp -R {CARGO_HOME}/registry/index "$cache/registry/"',
        *_trimmed_index(),
        'cargo fetch --locked --offline --target "$host"',
    ]


def _trimmed_index() -> list[str]:
    """Return lines that leave in the registry's index what the lock file names.

    The index of a crate lists all of its versions, so it would be another one with each release. A file of it: five
    bytes (the format, first of them 3), then strings that end with NUL: the state of the index, and for each version
    its name and its entry.
    """
    return [
        f"[ ! -d {CARGO_HOME}/registry/index ] || find {CARGO_HOME}/registry/index -path '*/.cache/*' -type f |",
        "while IFS= read -r file; do",
        '  [ "$(head -c 1 "$file" | od -An -tu1 | tr -d \' \')" = 3 ] || continue',
        '  { head -c 5 "$file"; tail -c +6 "$file" | tr "\\000" "\\n" | awk -v "lower=${file##*/}" \\',
        "    'NR == FNR { if ($3 == lower) kept[$2] = 1; next }",
        '     FNR == 1 { print "devbox"; next } FNR % 2 == 0 { wanted = $0 in kept } wanted\' \\',
        f"    {_LIST} - | tr '\\n' '\\000'; }} > {RUN_DIRECTORY}/index",
        f'  cat {RUN_DIRECTORY}/index > "$file"',
        "done",
    ]
