"""`devbox export`."""

from typing import Annotated, Final

import typer

from devbox.cli.flags import Settings, parse_flags
from devbox.cli.group import invocation_of, verb
from devbox.cli.render import next_step
from devbox.errors import UsageError
from devbox.workspace.export import DEFAULT, Exported, export_containerfile

_FORMS: Final = ("containerfile",)


@verb(
    "export",
    examples=(
        ("devbox export containerfile", f"a build context in ./{DEFAULT}, for any builder of images"),
        ("devbox export containerfile -o shop.tar", "the same as one file"),
        ("devbox export containerfile -o - | docker build -f Containerfile -", "without a file in between"),
    ),
    next_step="docker build -f Containerfile DIR, or podman build DIR",
)
def command(
    context: typer.Context,
    form: Annotated[str | None, typer.Argument(metavar="containerfile")] = None,
    *,
    output: Annotated[
        str,
        typer.Option("-o", "--output", metavar="DIR|FILE|-", help="A directory, a file named .tar, or - for stdout."),
    ] = DEFAULT,
    settings: Settings,
) -> None:
    """Write the image's build steps as a Containerfile and all that it needs, for builders that know nothing of devbox.

    They get the same content from it. A base that no registry has lies next to it as base.tar.gz.
    """
    invocation = invocation_of(context)
    if form not in _FORMS:
        said = "nothing is named that is to be exported" if form is None else f"there is no export {form!r}"
        raise UsageError(said, hint=f"there is: devbox export {' | '.join(_FORMS)}")
    if output == "-":
        invocation.terminal.require_pipe(with_json=invocation.json)
    result = export_containerfile(
        invocation.host, invocation.workspace, output, sink=invocation.terminal.data, flags=parse_flags(settings)
    )
    if result.path is not None:
        document = {
            "path": str(result.path),
            "base": result.base,
            "files": list(result.files),
            "secrets": list(result.secrets),
        }
        invocation.show(document, [str(result.path)])
    invocation.say(next_step(_next(result)))


def _next(result: Exported) -> str:
    secrets = "".join(f" --secret id={name},src=FILE" for name in result.secrets)
    if result.path is None or result.path.suffix == ".tar":
        return f"docker build -f Containerfile{secrets} - < {'FILE' if result.path is None else result.path.name}"
    return f"docker build -f {result.path.name}/Containerfile{secrets} {result.path.name}"
