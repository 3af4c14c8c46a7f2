"""Sites without a language of their own: index.html alone, MkDocs, Hugo, Jekyll without a Gemfile."""

from typing import Final

from devbox.profile.detect.evidence import Evidence, Named, Port, Stack, Step, Task
from devbox.profile.detect.view import View

_HUGO: Final = ("hugo.toml", "hugo.yaml", "hugo.yml", "hugo.json")
_INDEX: Final = ("index.html", "public/index.html", "docs/index.html")


def static(view: View) -> Stack | None:
    """Return the static site that a project is, or None."""
    hugo = view.first(_HUGO) or (
        view.first(("config.toml", "config.yaml")) if view.has("archetypes/default.md") else None
    )
    if hugo:
        at = Evidence(file=hugo, line=None, what="a site of Hugo")
        return _site(at, system=("hugo",), start="hugo server", build="hugo", port=1313)
    if view.has("mkdocs.yml"):
        at = Evidence(file="mkdocs.yml", line=None, what="a site of MkDocs")
        site = Step(name="mkdocs", run="pip install mkdocs", at=at)
        return _site(at, start="mkdocs serve", build="mkdocs build", port=8000, step=site)
    if view.has("_config.yml"):
        at = Evidence(file="_config.yml", line=None, what="a site of Jekyll")
        return _site(at, system=("jekyll",), start="jekyll serve", build="jekyll build", port=4000)
    index = view.first(_INDEX)
    if index:
        at = Evidence(file=index, line=None, what="a page")
        directory = index.rpartition("/")[0] or "."
        start = f"python3 -m http.server --bind 127.0.0.1 --directory {directory} 8000"
        return _site(at, system=("python3",), start=start, build="", port=8000)
    return None


def _site(
    at: Evidence, *, start: str, build: str, port: int, system: tuple[str, ...] = (), step: Step | None = None
) -> Stack:
    tasks = [Task(name="start", run=start, at=at)]
    if build:
        tasks.append(Task(name="build", run=build, at=at))
    return Stack(
        name="static",
        profile="python" if step else "base",
        key="python" if step else "",
        evidence=(at,),
        system=tuple(Named(name=name, at=at) for name in system),
        tasks=tuple(tasks),
        ports=(Port(number=port, name="web", at=at),),
        steps=(step,) if step else (),
    )
