""".NET: project and solution files, global.json. Reported alone: the distribution holds no SDK."""

import re
from collections.abc import Iterator
from typing import Final

from devbox.profile.detect.evidence import Claim, Evidence, Stack
from devbox.profile.detect.parts import table
from devbox.profile.detect.sources import DOTNET, FILE, claim, version_claims
from devbox.profile.detect.view import View

_PROJECTS: Final = (".csproj", ".fsproj", ".vbproj")
_SOLUTIONS: Final = (".sln", ".slnx")
_MOST: Final = 20


def dotnet(view: View) -> Stack | None:
    """Return the .NET stack of a project, or None. It has no base profile."""
    projects = [name for name in view.names() if name.endswith(_PROJECTS) and view.has(name)][:_MOST]
    solutions = [name for name in view.names() if name.endswith(_SOLUTIONS) and _is_net(view.text(name))][:_MOST]
    if not projects and not solutions:
        return None
    evidence = [Evidence(file=name, line=None, what="a solution of .NET") for name in solutions]
    for name in projects:
        root = view.xml(name)
        element = root and (
            root.first("PropertyGroup", "TargetFramework") or root.first("PropertyGroup", "TargetFrameworks")
        )
        what = f"a project of .NET for {element.text.strip()}" if element else "a project of .NET"
        evidence.append(Evidence(file=name, line=element.line if element else None, what=what))
    claims = [one for one in (*version_claims(view, DOTNET), *_global(view)) if one is not None]
    return Stack(name="dotnet", profile="", evidence=(*evidence, *(one.at for one in claims)), claims=tuple(claims))


def _is_net(solution: str | None) -> bool:
    """Whether a solution may be .NET's: a C library that Visual Studio builds as well has one that is not."""
    return solution is not None and (".vcxproj" not in solution or any(suffix in solution for suffix in _PROJECTS))


def _global(view: View) -> Iterator[Claim | None]:
    document = view.json("global.json") if view.has("global.json") else None
    version = table(document.tree.get("sdk")).get("version") if document else None
    if isinstance(version, str) and document and re.match(r"\d", version):
        yield claim(view, DOTNET, version, file="global.json", line=document.lines.get("sdk.version"), rank=FILE)
