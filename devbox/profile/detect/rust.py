"""Rust: Cargo.toml, rust-toolchain, and what Cargo.lock says of native libraries."""

import re
from collections.abc import Iterator
from typing import Final

from devbox.profile.detect.evidence import Claim, Evidence, Stack, Task
from devbox.profile.detect.grammars import minimum
from devbox.profile.detect.parts import first_of_each, frameworks, make_tasks, needs, strings, table
from devbox.profile.detect.sources import FILE, RUST, agree, claim, version_claims
from devbox.profile.detect.tables import others as tables
from devbox.profile.detect.view import View
from devbox.profile.linemap import child
from devbox.profile.source import Document

_EDITIONS: Final = {"2018": "1.31", "2021": "1.56", "2024": "1.85"}  # the first compiler that knows it
_LOCKED: Final = re.compile(r'^name = "([^"]+)"$', re.MULTILINE)
_BUNDLED: Final = "rusqlite[bundled]"
_GROUPS: Final = ("dependencies", "build-dependencies", "dev-dependencies")


def rust(view: View) -> Stack | None:
    """Return the Rust stack of a project, or None."""
    if not view.has("Cargo.toml"):
        return None
    document = view.toml("Cargo.toml")
    evidence = [Evidence(file="Cargo.toml", line=None, what="a Rust project")]
    if document is None:
        return Stack(name="rust", profile="rust", key="rust", evidence=tuple(evidence))
    for key, what in (("package", "a crate"), ("workspace", "a workspace of crates")):
        if key in document.tree:
            evidence.append(Evidence(file="Cargo.toml", line=document.lines.get(key), what=what))
    if view.has("Cargo.lock"):
        evidence.append(Evidence(file="Cargo.lock", line=None, what="a lock file of Cargo"))
    claims = [*_toolchain(view), *version_claims(view, RUST), *_manifest(view, document)]
    known, version = agree(view, RUST, claims)
    direct = list(_dependencies(document))
    dependencies = [*direct, *_locked(view, {name for name, _ in direct})]
    hits, ports = frameworks(dependencies, tables.RUST_FRAMEWORKS)
    at = evidence[0]
    tasks = [Task(name="test", run="cargo test", at=at), Task(name="build", run="cargo build", at=at)]
    if view.has("src/main.rs"):
        tasks.append(Task(name="start", run="cargo run", at=Evidence(file="src/main.rs", line=None, what="a program")))
    return Stack(
        name="rust",
        profile="rust",
        key="rust",
        evidence=(*evidence[1:], *hits) if len(evidence) > 1 else tuple(evidence),
        claims=known,
        version=version,
        system=tuple(needs(dependencies, tables.RUST_SYSTEM)),
        tasks=first_of_each([*tasks, *make_tasks(view)]),
        ports=ports,
        services=tuple(needs(dependencies, tables.RUST_SERVICES)),
    )


def _toolchain(view: View) -> Iterator[Claim | None]:
    for file in ("rust-toolchain.toml", "rust-toolchain"):
        text = (view.text(file) or "") if view.has(file) else ""
        if "[toolchain]" in text:
            document = view.toml(file)
            channel = table(document.tree.get("toolchain")).get("channel") if document else None
            if isinstance(channel, str) and document:
                yield claim(view, RUST, channel, file=file, line=document.lines.get("toolchain.channel"), rank=FILE)
        elif text.strip() and file == "rust-toolchain":
            yield claim(view, RUST, text.split()[0], file=file, line=1, rank=FILE)


def _manifest(view: View, document: Document) -> Iterator[Claim | None]:
    for path in ("package", "workspace.package"):
        tree: object = document.tree
        for part in path.split("."):
            tree = table(tree).get(part)
        wanted, edition = table(tree).get("rust-version"), table(tree).get("edition")
        if isinstance(wanted, str):
            line = document.lines.get(f"{path}.rust-version")
            yield claim(view, RUST, wanted, file="Cargo.toml", line=line, grammar=minimum)
        elif isinstance(edition, str) and edition in _EDITIONS:
            at = Evidence(file="Cargo.toml", line=document.lines.get(f"{path}.edition"), what=f"Rust edition {edition}")
            yield Claim(at=at, wanted=minimum(_EDITIONS[edition]), rank=2)


def _dependencies(document: Document) -> Iterator[tuple[str, Evidence]]:
    tree, lines = document.tree, document.lines
    workspace = table(tree.get("workspace"))
    for root, prefix in ((tree, ""), (workspace, "workspace")):
        for group in _GROUPS:
            path = child(prefix, group)
            for name, wanted in table(root.get(group)).items():
                at = Evidence(file="Cargo.toml", line=lines.get(child(path, name)), what=name)
                features = strings(table(wanted).get("features"))
                if name == "rusqlite" and "bundled" in features:
                    yield _BUNDLED, at  # it brings its own
                    continue
                yield name, at
                yield from ((f"{name}[{feature}]", at) for feature in features)


def _locked(view: View, direct: set[str]) -> Iterator[tuple[str, Evidence]]:
    """Yield the packages of Cargo.lock that bind a native library."""
    text = view.start("Cargo.lock") if view.has("Cargo.lock") else ""
    for match in _LOCKED.finditer(text):
        bundled = match[1] == "libsqlite3-sys" and _BUNDLED in direct
        if match[1] in tables.RUST_SYSTEM and match[1] not in ("cmake", "openssl", "rusqlite") and not bundled:
            yield match[1], Evidence(file="Cargo.lock", line=text.count("\n", 0, match.start()) + 1, what=match[1])
