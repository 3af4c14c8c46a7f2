"""Ruby's manifests: Gemfile and Gemfile.lock, and what a Gemfile reads: gemspecs, versions, other Gemfiles."""

import re
from posixpath import join, normpath

from devbox.build.inputs import Collector

RUBY = "packages.ruby"
GEMFILES = {"Gemfile": "Gemfile.lock", "gems.rb": "gems.locked"}  # with their lock files
_READ = (".ruby-version", ".tool-versions", "VERSION")
_OTHER = re.compile(r"""^\s*eval_gemfile\s*\(?\s*["']([^"'#{}]+)["']""", re.MULTILINE)
_PATH = re.compile(r"""(?:^\s*path\s*\(?\s*|\bpath:\s*|:path\s*=>\s*)["']([^"'#{}]+)["']""", re.MULTILINE)
_GEMSPEC = re.compile(r"^\s*gemspec\b", re.MULTILINE)


def read_ruby(collector: Collector) -> None:
    """Take the project's Gemfile, its lock file, and what it reads when it is run."""
    for name, lock in GEMFILES.items():
        if not collector.exists(name):
            continue
        for beside in (lock, *_READ):
            if collector.exists(beside):
                collector.manifest(RUBY, beside, key=RUBY)
        _gemfile(collector, name)
        return


def _gemfile(collector: Collector, path: str) -> None:
    if collector.has(RUBY, path):
        return
    content = collector.manifest(RUBY, path, key=RUBY)
    if content is None:
        return
    text = content.decode("utf-8", "replace")
    directory = path.rpartition("/")[0]
    if _GEMSPEC.search(text):
        _gem(collector, directory or ".")
    for other in _OTHER.findall(text):
        _inside(collector, normpath(join(directory, other)), path)
    for local in _PATH.findall(text):
        place = normpath(join(directory, local))
        if _is_inside(collector, place, path):
            _gem(collector, place)
            for found in collector.found(f"{place}/*/*.gemspec"):
                _gem(collector, found.rpartition("/")[0])


def _inside(collector: Collector, path: str, needed_by: str) -> None:
    if _is_inside(collector, path, needed_by):
        _gemfile(collector, path)


def _is_inside(collector: Collector, path: str, needed_by: str) -> bool:
    if path.startswith(("/", "../")) or path == "..":
        collector.complain(f"{needed_by} needs {path}, which lies outside of the project", key=RUBY)
        return False
    return True


def _gem(collector: Collector, directory: str) -> None:
    """Take the gemspecs of a gem, and the files that say its version, which a gemspec reads."""
    specs = collector.found(normpath(f"{directory}/*.gemspec"))
    versions = [
        path
        for pattern in ("lib/version.rb", "lib/*/version.rb", "lib/*/*/version.rb")
        for path in collector.found(normpath(f"{directory}/{pattern}"))
    ]
    for path in [*specs, *(versions if specs else ())]:
        collector.manifest(RUBY, path, key=RUBY)
