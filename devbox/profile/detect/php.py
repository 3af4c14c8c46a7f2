"""PHP: composer.json."""

from collections.abc import Iterator

from devbox.profile.detect.evidence import Claim, Evidence, Stack, Task
from devbox.profile.detect.grammars import composer, exact
from devbox.profile.detect.parts import first_of_each, frameworks, make_tasks, needs, table
from devbox.profile.detect.sources import PHP, agree, claim, version_claims
from devbox.profile.detect.tables import others as tables
from devbox.profile.detect.view import View
from devbox.profile.linemap import child
from devbox.profile.source import Document

_NAME = "composer.json"


def php(view: View) -> Stack | None:
    """Return the PHP stack of a project, or None."""
    if not view.has(_NAME):
        return None
    evidence = [Evidence(file=_NAME, line=None, what="a project of Composer")]
    if view.has("composer.lock"):
        evidence.append(Evidence(file="composer.lock", line=None, what="a lock file of Composer"))
    document = view.json(_NAME)
    if document is None:
        return Stack(name="php", profile="php", key="php", evidence=tuple(evidence))
    known, version = agree(view, PHP, [*version_claims(view, PHP), *_claims(view, document)])
    dependencies = list(_dependencies(document))
    hits, ports = frameworks(dependencies, tables.PHP_FRAMEWORKS)
    return Stack(
        name="php",
        profile="php",
        key="php",
        evidence=(*evidence, *hits),
        claims=known,
        version=version,
        system=tuple(needs(dependencies, tables.PHP_SYSTEM)),
        tasks=first_of_each([*_tasks(view, document, dependencies), *make_tasks(view)]),
        ports=ports,
        services=tuple(needs(dependencies, tables.PHP_SERVICES)),
    )


def _claims(view: View, document: Document) -> Iterator[Claim | None]:
    wanted = table(document.tree.get("require")).get("php")
    if isinstance(wanted, str):
        yield claim(view, PHP, wanted, file=_NAME, line=document.lines.get("require.php"), grammar=composer)
    platform = table(table(document.tree.get("config")).get("platform")).get("php")
    if isinstance(platform, str):
        minor = ".".join(platform.split(".")[:2])  # what Composer is to pretend; the patch level says little
        yield claim(view, PHP, minor, file=_NAME, line=document.lines.get("config.platform.php"), grammar=exact)


def _dependencies(document: Document) -> Iterator[tuple[str, Evidence]]:
    for group in ("require", "require-dev"):
        for name in table(document.tree.get(group)):
            yield name, Evidence(file=_NAME, line=document.lines.get(child(group, name)), what=name)


def _tasks(view: View, document: Document, dependencies: list[tuple[str, Evidence]]) -> Iterator[Task]:
    scripts = table(document.tree.get("scripts"))
    for task, choices in (
        ("test", ("test", "tests", "phpunit")),
        ("lint", ("lint", "cs")),
        ("start", ("start", "serve", "dev")),
    ):
        name = next((choice for choice in choices if choice in scripts), None)
        if name:
            at = Evidence(file=_NAME, line=document.lines.get(child("scripts", name)), what=f"script {name}")
            yield Task(name=task, run=f"composer {'test' if name == 'test' else f'run-script {name}'}", at=at)
    named = dict(reversed(dependencies))
    if "phpunit/phpunit" in named:
        yield Task(name="test", run="vendor/bin/phpunit", at=named["phpunit/phpunit"])
    if "pestphp/pest" in named:
        yield Task(name="test", run="vendor/bin/pest", at=named["pestphp/pest"])
    if view.has("artisan"):
        at = Evidence(file="artisan", line=None, what="Laravel")
        yield Task(name="start", run="php artisan serve", at=at)
    elif view.has("public/index.php"):
        at = Evidence(file="public/index.php", line=None, what="the front controller")
        yield Task(name="start", run="php -S 127.0.0.1:8000 -t public", at=at)
