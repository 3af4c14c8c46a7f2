"""Node.js: package.json, the package manager and its lock file."""

import re
from collections.abc import Iterator
from typing import Final

from devbox.profile.detect.evidence import Claim, Evidence, Port, Stack, Task
from devbox.profile.detect.grammars import npm
from devbox.profile.detect.parts import frameworks, line_of, needs, table
from devbox.profile.detect.sources import FILE, NODE, agree, claim, version_claims
from devbox.profile.detect.tables import node as tables
from devbox.profile.detect.view import View
from devbox.profile.linemap import child
from devbox.profile.source import Document

FILE_NAME: Final = "package.json"
# Lock file to the manager that writes it.
LOCKS: Final = {
    "package-lock.json": "npm", "npm-shrinkwrap.json": "npm", "yarn.lock": "yarn", "pnpm-lock.yaml": "pnpm",
    "bun.lock": "bun", "bun.lockb": "bun",
}  # fmt: skip
_GROUPS: Final = ("dependencies", "devDependencies", "optionalDependencies")
_NO_TEST: Final = "no test specified"
_PORT: Final = re.compile(r"(?:--port[= ]|-p |\bPORT=)(\d{2,5})\b")


def node(view: View) -> Stack | None:
    """Return the Node.js stack of a project, or None."""
    if not view.has(FILE_NAME):
        return None
    document = view.json(FILE_NAME)
    first = Evidence(file=FILE_NAME, line=None, what="a Node.js project")
    if document is None:
        return Stack(name="node", profile="node", key="node", evidence=(first,))
    manager, seen = _manager(view, document)
    known, version = agree(view, NODE, [*version_claims(view, NODE), *_claims(view, document)])
    dependencies = list(_dependencies(document))
    hits, ports = frameworks(dependencies, tables.FRAMEWORKS)
    tasks = tuple(_tasks(document, manager, dependencies))
    return Stack(
        name="node",
        profile="node",
        key="node",
        evidence=(first, *seen, *_workspaces(view, document), *hits, *_runners(dependencies)),
        claims=known,
        version=version,
        system=tuple(needs(dependencies, tables.SYSTEM)),
        tasks=tasks,
        ports=_ports(document, tasks, ports),
        services=tuple(needs(dependencies, tables.SERVICES)),
    )


def _claims(view: View, document: Document) -> Iterator[Claim | None]:
    tree, lines = document.tree, document.lines
    volta = table(tree.get("volta")).get("node")
    if isinstance(volta, str):
        yield claim(view, NODE, volta, file=FILE_NAME, line=lines.get("volta.node"), rank=FILE)
    runtime = table(table(tree.get("devEngines")).get("runtime"))
    if runtime.get("name") == "node" and isinstance(runtime.get("version"), str):
        line = lines.get("devEngines.runtime.version")
        yield claim(view, NODE, str(runtime["version"]), file=FILE_NAME, line=line, grammar=npm)
    engines = table(tree.get("engines")).get("node")
    if isinstance(engines, str):
        yield claim(view, NODE, engines, file=FILE_NAME, line=lines.get("engines.node"), grammar=npm)


def _dependencies(document: Document) -> Iterator[tuple[str, Evidence]]:
    for group in _GROUPS:
        for name in table(document.tree.get(group)):
            line = document.lines.get(child(group, name))
            yield name, Evidence(file=FILE_NAME, line=line, what=name)


def _manager(view: View, document: Document) -> tuple[str, tuple[Evidence, ...]]:
    """Return the package manager and what says so; rival lock files are a problem."""
    locks = {name: tool for name, tool in LOCKS.items() if view.has(name)}
    seen = [Evidence(file=name, line=None, what=_lock_words(view, name, tool)) for name, tool in locks.items()]
    declared = str(document.tree.get("packageManager") or "")
    line = document.lines.get("packageManager")
    if declared:
        seen.append(Evidence(file=FILE_NAME, line=line, what=f"packageManager {declared}"))
    tool = declared.partition("@")[0]
    if declared and tool not in ("npm", "yarn", "pnpm", "bun"):
        at = Evidence(file=FILE_NAME, line=line, what="")
        view.complain(f"packageManager {declared[:80]!r} is none that devbox knows", at=at, hint="npm, yarn or pnpm")
    found = tuple(dict.fromkeys(locks.values()))
    if tool and found and tool not in found:
        at = Evidence(file=FILE_NAME, line=line, what="")
        view.complain(
            f"packageManager is {tool}, and the lock file is {', '.join(locks)}", at=at, hint="keep one of them"
        )
    elif not tool and len(found) > 1:
        for name in locks:
            at = Evidence(file=name, line=None, what="")
            others = ", ".join(other for other in locks if locks[other] != locks[name])
            hint = 'keep one of them, or write packageManager into package.json, as "npm@10"'
            view.complain(f"is the lock file of {locks[name]}, and {others} is there too", at=at, hint=hint)
    if not tool and view.has(".yarnrc.yml") and not found:
        seen.append(Evidence(file=".yarnrc.yml", line=None, what="settings of Yarn 2 or newer"))
        tool = "yarn"
    return tool or (found[0] if found else "npm"), tuple(seen)


def _lock_words(view: View, name: str, tool: str) -> str:
    if tool == "yarn":
        return "a lock file of Yarn 2 or newer" if "__metadata:" in view.start(name)[:1000] else "a lock file of Yarn 1"
    return f"a lock file of {tool}"


def _workspaces(view: View, document: Document) -> Iterator[Evidence]:
    if document.tree.get("workspaces"):
        yield Evidence(file=FILE_NAME, line=document.lines.get("workspaces"), what="workspaces")
    if view.has("pnpm-workspace.yaml"):
        yield Evidence(
            file="pnpm-workspace.yaml", line=line_of(view, "pnpm-workspace.yaml", "^packages"), what="workspaces"
        )
    for name in ("turbo.json", "nx.json", "lerna.json"):
        if view.has(name):
            yield Evidence(file=name, line=None, what="a monorepo's tool")


def _runners(dependencies: list[tuple[str, Evidence]]) -> Iterator[Evidence]:
    yield from (at for name, at in dependencies if name in tables.TEST_RUNNERS)


def _tasks(document: Document, manager: str, dependencies: list[tuple[str, Evidence]]) -> Iterator[Task]:
    scripts = {name: run for name, run in table(document.tree.get("scripts")).items() if isinstance(run, str)}
    run = {"npm": "npm run", "bun": "npm run"}.get(manager, f"{manager} run")
    for task, choices in (
        ("test", ("test",)),
        ("start", ("dev", "start", "serve")),
        ("build", ("build",)),
        ("lint", ("lint",)),
    ):
        name = next((choice for choice in choices if choice in scripts and _NO_TEST not in scripts[choice]), None)
        if name is None:
            continue
        at = Evidence(file=FILE_NAME, line=document.lines.get(child("scripts", name)), what=f"script {name}")
        short = name in ("test", "start") and manager in ("npm", "yarn", "pnpm", "bun")
        yield Task(name=task, run=f"{run.removesuffix(' run')} {name}" if short else f"{run} {name}", at=at)
    if "test" not in scripts:
        yield from _node_test(dependencies)


def _node_test(dependencies: list[tuple[str, Evidence]]) -> Iterator[Task]:
    """Yield the test task of a project that has a runner and no script."""
    for name, at in dependencies:
        if name in ("vitest", "jest", "mocha", "ava"):
            yield Task(name="test", run="npx vitest run" if name == "vitest" else f"npx {name}", at=at)
            return


def _ports(document: Document, tasks: tuple[Task, ...], ports: tuple[Port, ...]) -> tuple[Port, ...]:
    """Return the port that the start script names, else the framework's own."""
    scripts = table(document.tree.get("scripts"))
    for task in tasks:
        script = scripts.get(task.at.what.removeprefix("script "))
        match = _PORT.search(script) if task.name == "start" and isinstance(script, str) else None
        if match and 0 < int(match[1]) < 65536:
            return (Port(number=int(match[1]), name="web", at=task.at),)
    return ports
