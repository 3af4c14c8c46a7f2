"""Ruby: Gemfile, gemspec, Rakefile."""

import re
from collections.abc import Iterator
from typing import Final

from devbox.profile.detect.evidence import Claim, Evidence, Named, Stack, Task
from devbox.profile.detect.grammars import ruby as requirement
from devbox.profile.detect.parts import first_of_each, frameworks, line_of, make_tasks, needs
from devbox.profile.detect.sources import RUBY, agree, claim, version_claims
from devbox.profile.detect.tables import others as tables
from devbox.profile.detect.view import View

_GEM: Final = re.compile(r"""\s*gem[\s(]+['"]([\w.-]+)['"]""")
_NEEDED: Final = re.compile(r"""\s*\w+\.add_(?:development_|runtime_)?dependency[\s(]+['"]([\w.-]+)['"]""")
_RUBY: Final = re.compile(r"""\s*ruby[\s(]+((?:['"][^'"]+['"]\s*,?\s*)+)""")
_REQUIRED: Final = re.compile(
    r"""\s*\w+\.required_ruby_version\s*=\s*(?:Gem::Requirement\.new\()?\[?((?:['"][^'"]+['"]\s*,?\s*)+)"""
)
_LOCKED: Final = re.compile(r"^    ([\w.-]+) \(", re.MULTILINE)
_GEMFILES: Final = ("Gemfile", "gems.rb")


def ruby(view: View) -> Stack | None:
    """Return the Ruby stack of a project, or None."""
    specs = [name for name in view.names() if name.endswith(".gemspec") and view.has(name)]
    gemfile = view.first(_GEMFILES)
    rakefile = view.first(("Rakefile", "rakefile", "Rakefile.rb"))
    if gemfile is None and not specs and rakefile is None:
        return None
    evidence = list(_evidence(view, gemfile, specs, rakefile))
    claims = [*version_claims(view, RUBY), *_claims(view, gemfile, specs)]
    known, version = agree(view, RUBY, claims)
    dependencies = [*_dependencies(view, gemfile, specs), *_locked(view)]
    hits, ports = frameworks(dependencies, tables.RUBY_FRAMEWORKS)
    tasks = [*_tasks(view, dependencies, rakefile, bundled=gemfile is not None), *make_tasks(view)]
    return Stack(
        name="ruby",
        profile="ruby",
        key="ruby",
        evidence=(*evidence, *hits),
        claims=known,
        version=version,
        system=tuple(_system(view, dependencies)),
        tasks=first_of_each(tasks),
        ports=ports,
        services=tuple(needs(dependencies, tables.RUBY_SERVICES)),
    )


def _evidence(view: View, gemfile: str | None, specs: list[str], rakefile: str | None) -> Iterator[Evidence]:
    if gemfile:
        yield Evidence(file=gemfile, line=None, what="gems for Bundler")
    if view.has("Gemfile.lock"):
        yield Evidence(file="Gemfile.lock", line=None, what="a lock file of Bundler")
    yield from (Evidence(file=name, line=None, what="a gem") for name in specs)
    if rakefile:
        yield Evidence(file=rakefile, line=None, what="tasks of Rake")


def _claims(view: View, gemfile: str | None, specs: list[str]) -> Iterator[Claim | None]:
    patterns = [(name, _REQUIRED) for name in specs]
    if gemfile:
        patterns.insert(0, (gemfile, _RUBY))
    for file, pattern in patterns:
        for number, line in view.lines(file):
            match = pattern.match(line)
            if match:
                wanted = ", ".join(re.findall(r"""['"]([^'"]+)['"]""", match[1]))
                yield claim(view, RUBY, wanted, file=file, line=number, grammar=requirement)
                break


def _dependencies(view: View, gemfile: str | None, specs: list[str]) -> Iterator[tuple[str, Evidence]]:
    for file, pattern in [*([(gemfile, _GEM)] if gemfile else []), *((name, _NEEDED) for name in specs)]:
        for number, line in view.lines(file):
            match = pattern.match(line)
            if match:
                yield match[1], Evidence(file=file, line=number, what=match[1])


def _locked(view: View) -> Iterator[tuple[str, Evidence]]:
    """Yield the gems of Gemfile.lock that bind a native library."""
    text = view.start("Gemfile.lock") if view.has("Gemfile.lock") else ""
    for match in _LOCKED.finditer(text):
        if match[1] in tables.RUBY_SYSTEM:
            yield match[1], Evidence(file="Gemfile.lock", line=text.count("\n", 0, match.start()) + 1, what=match[1])


def _system(view: View, dependencies: list[tuple[str, Evidence]]) -> Iterator[Named]:
    found = list(needs(dependencies, tables.RUBY_SYSTEM))
    yield from found
    native = found[0].at if found else _extension(view)
    if native is not None:
        yield from (Named(name=name, at=native) for name in ("build-essential", "ruby-dev"))


def _extension(view: View) -> Evidence | None:
    """Return what says that the gem itself has native code."""
    for name in view.names("ext") if view.has_directory("ext") else ():
        if view.has(f"ext/{name}/extconf.rb"):
            return Evidence(file=f"ext/{name}/extconf.rb", line=None, what="native code")
    return None


def _tasks(
    view: View, dependencies: list[tuple[str, Evidence]], rakefile: str | None, *, bundled: bool
) -> Iterator[Task]:
    names = dict(reversed(dependencies))
    run = "bundle exec " if bundled else ""
    if "rspec" in names or "rspec-rails" in names or view.has(".rspec"):
        at = (
            names.get("rspec")
            or names.get("rspec-rails")
            or Evidence(file=".rspec", line=None, what="settings of RSpec")
        )
        yield Task(name="test", run=f"{run}rspec", at=at)
    if view.has("bin/rails"):
        at = Evidence(file="bin/rails", line=None, what="Rails")
        yield Task(name="test", run="bin/rails test", at=at)
        yield Task(name="start", run="bin/rails server", at=at)
    if rakefile:
        line = line_of(view, rakefile, r"TestTask|RSpec::Core::RakeTask|task\s*\(?:test")
        if line:
            at = Evidence(file=rakefile, line=line, what="a test task of Rake")
            task = "spec" if "RSpec" in view.lines(rakefile)[line - 1][1] else "test"
            yield Task(name="test", run=f"{run}rake {task}", at=at)
    if "jekyll" in names:
        yield Task(name="start", run=f"{run}jekyll serve", at=names["jekyll"])
    if view.has("config.ru") and "jekyll" not in names:
        at = Evidence(file="config.ru", line=None, what="a Rack application")
        yield Task(name="start", run=f"{run}rackup --port 9292", at=at)
    if "rubocop" in names:
        yield Task(name="lint", run=f"{run}rubocop", at=names["rubocop"])
