"""`devbox verify`."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from posixpath import dirname
from typing import Annotated, Any, Final

import typer

from devbox.cli.flags import RuntimeName, Settings, parse_flags
from devbox.cli.group import invocation_of, verb
from devbox.cli.render import next_step
from devbox.cli.text import Line, Span
from devbox.workspace.same_bits import MachineOwn
from devbox.workspace.verify import Comparison, Verified, VerifyOrder, verify

_SHOWN: Final = 50  # differences
_NOT_WHERE: Final = "devbox verify --against FILE, a manifest from where it was recorded, says where it differs"
_DIGEST: Final = len("sha256:") + 12  # characters of one, for a person


@verb(
    "verify",
    examples=(
        ("devbox verify --rebuild", "build once more without any cached layer, and compare"),
        ("devbox verify --runtime vm", "whether the machine's disk holds what the container holds"),
        ("devbox verify --against ci.manifest", "compare with what CI's devbox verify --write ci.manifest wrote"),
    ),
    next_step="devbox verify --rebuild, if you have nothing to compare with",
    machines=True,
)
def command(
    context: typer.Context,
    *,
    against: Annotated[
        str | None, typer.Option("--against", metavar="FILE", help="Compare with a manifest that --write wrote.")
    ] = None,
    write: Annotated[
        str | None, typer.Option("--write", metavar="FILE", help="Write the image's content manifest to FILE.")
    ] = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Build once more, every step anew, compare, and remove it again.")
    ] = False,
    record: Annotated[
        bool, typer.Option("--record", help="Put the digest into devbox.lock; without it, compare with the one there.")
    ] = False,
    runtime: RuntimeName = None,
    settings: Settings,
) -> None:
    """Compare what the image holds with other builds: identical, or each difference by path and field.

    It is built if it is not there, and compared with what devbox.lock has recorded, if it has. The disk of a machine is
    read back and compared with the container of the same profile. Exit code 1 if something differs. What is compared,
    and what is noise: docs/reference/manifest.md.
    """
    invocation = invocation_of(context)
    order = VerifyOrder(against=against, write=write, rebuild=rebuild, record=record)
    result = verify(invocation.host, invocation.workspace, order, flags=parse_flags(settings, runtime=runtime))
    invocation.show(_document(result), list(_lines(result)))
    if result.identical is None:
        invocation.say(next_step(_next(result)))
    elif not result.identical:
        if any(one.differences is None for one in result.comparisons):
            invocation.say(next_step(_NOT_WHERE))
        raise typer.Exit(1)


def _document(result: Verified) -> dict[str, Any]:
    return {
        "identical": result.identical,
        "digest": result.digest,
        "paths": result.paths,
        "image": result.built.image,
        "reference": result.built.reference,
        "recorded": result.recorded,
        "written": None if result.written is None else str(result.written),
        "comparisons": [_comparison(one) for one in result.comparisons],
        "machine": None if result.own is None else asdict(result.own),
    }


def _comparison(one: Comparison) -> dict[str, Any]:
    differences = None if one.differences is None else [asdict(each) for each in one.differences]
    return {"with": one.name, "digest": one.digest, "identical": one.identical, "differences": differences}


def _lines(result: Verified) -> Iterator[Line]:
    if result.identical is None:
        yield f"{result.digest} {result.built.reference}"
        return
    if result.own is not None:
        yield from _own(result.own)
    if result.identical:
        yield (Span("identical", "good"),)
        return
    for one in result.comparisons:
        yield from _differing(one)


def _own(own: MachineOwn) -> Iterator[Line]:
    """Say what makes it a machine: how much is there beyond the container, and what of the container's is another."""
    yield f"the machine's own: {len(own.added)} paths more than the container, {len(own.changed)} changed in it"
    yield from (f"  {path}" for path in own.changed[:_SHOWN])
    yield from (f"  {path}: not in the machine" for path in own.removed[:_SHOWN])
    if max(len(own.changed), len(own.removed)) > _SHOWN:
        yield "  and more; --json has all of them"
    yield from (f"  {place}: {count} more" for place, count in _places(own.added))


def _places(added: Sequence[str]) -> list[tuple[str, int]]:
    """Return where `added` are, and how many there: a directory that is itself one of them, or the one they are in."""
    new = frozenset(added)
    tops = {path: path for path in added}
    for path in added:
        while dirname(tops[path]) in new:
            tops[path] = dirname(tops[path])
    trees = {top for path, top in tops.items() if top != path}
    return sorted(Counter(top if top in trees else dirname(top) for top in tops.values()).items())


def _differing(one: Comparison) -> Iterator[Line]:
    if one.differences is None:
        yield (Span(f"{one.name}: ", "bold"), Span(f"another content, {one.digest}"))
        return
    count = len(one.differences)
    said = "identical" if not count else "1 difference" if count == 1 else f"{count} differences"
    yield (Span(f"{one.name}: ", "bold"), Span(said))
    for each in one.differences[:_SHOWN]:
        yield f"  {each.path}: {each.field}: {_short(each.ours)} here, {_short(each.theirs)} there"
    if count > _SHOWN:
        yield f"  and {count - _SHOWN} more; --json has all of them"


def _short(value: str) -> str:
    return value[:_DIGEST] if value.startswith("sha256:") else value


def _next(result: Verified) -> str:
    if result.recorded:
        return "commit devbox.lock, and let the others run: devbox verify"
    if result.written is None:
        return "devbox verify --rebuild, or --record or --write FILE for somebody else to compare with"
    return f"have somebody else run: devbox verify --against {result.written.name}"
