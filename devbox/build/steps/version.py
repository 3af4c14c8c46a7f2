"""Whether a version that a program says of itself is the one asked for, as shell. Pure."""

from devbox.build.steps.script import refuse
from devbox.profile.toolchains.constraint import Constraint, Release, Span

# Whether version $1 is $2 or later. Numbers are compared, so that 3.9 comes before 3.10; what is missing is 0.
_FUNCTION = """\
at_least() {
  one=$1. two=$2.
  while [ -n "$two" ]; do
    [ "${one%%.*}" = "${two%%.*}" ] || { [ "0${one%%.*}" -gt "0${two%%.*}" ]; return; }
    one=${one#*.} two=${two#*.}
  done
}"""


def version_check(wanted: Constraint, otherwise: str) -> list[str]:
    """Return lines that run the command `otherwise` unless `$have` is `wanted`; "v20.11.1" and "go1.22" are read.

    Nothing for a constraint that anything meets.
    """
    if wanted.anything:
        return []
    ranges = " || ".join(_within(span) for span in wanted.spans)
    return [
        _FUNCTION,
        r"""number=$(printf '%s\n' "$have" | sed -e 's/^[^0-9]*//' -e 's/[^0-9.].*$//')""",
        f'{{ [ -n "$number" ] && {{ {ranges}; }}; }} || {otherwise}',
    ]


def not_the_one(title: str, wanted: Constraint) -> str:
    """Return the command that ends a step whose `$have` is another version of `title` than `wanted`."""
    return refuse(f"this base has {title} $have, the profile asks for {wanted.text}")


def _within(span: Span) -> str:
    tests = [f'at_least "$number" {_dotted(span.low)}'] if span.low else []
    if span.high is not None:
        tests.append(f'! at_least "$number" {_dotted(span.high)}')
    return f"{{ {' && '.join(tests)}; }}"


def _dotted(place: Release) -> str:
    return ".".join(map(str, place)) or "0"
