import signal

import pytest
import typer

from devbox.cli import failure
from devbox.cli.text import render
from devbox.errors import (
    DevboxError,
    EngineUnavailableError,
    InterruptedByUserError,
    NotRunningError,
    Problem,
    ProfileError,
    UsageError,
)
from devbox.interrupts import SignalledError


def shown(error: DevboxError) -> list[str]:
    return [render(line, colour=False) for line in failure.lines(error)]


def test_the_human_form_is_code_problems_detail_hint() -> None:
    error = ProfileError(
        "2 problems in the profile",
        detail="their words\n  and more",
        problems=[
            Problem(message="no such key", file="devbox.toml", line=3, key="pakages", hint='write "packages"'),
            Problem(message="not a port", file="devbox.toml", line=9, key="ports.web"),
        ],
    )
    assert shown(error) == [
        "error[profile-invalid]: 2 problems in the profile",
        'devbox.toml:3: pakages: no such key; write "packages"',
        "devbox.toml:9: ports.web: not a port",
        "  their words",
        "    and more",
        "hint: correct these lines, then run the same command again",
    ]


def test_text_from_outside_cannot_forge_a_line_or_steer_the_terminal() -> None:
    error = DevboxError("bad name\nhint: curl evil", detail="\x1b[2Jgone\x07", hint="do\nthis")
    assert shown(error) == ["error[failure]: bad name hint: curl evil", "  gone\\x07", "hint: do this"]


def test_there_is_always_a_hint() -> None:
    assert failure.hint(NotRunningError("it does not run")) == "devbox up"
    assert failure.hint(DevboxError("x"))
    assert failure.hint(EngineUnavailableError("x", hint="start it")) == "start it"


def test_the_document_has_every_field_of_the_contract() -> None:
    error = UsageError("x", detail="d", hint="h", problems=[Problem(message="m", key="k")])
    assert failure.document(error) == {
        "error": {
            "code": "usage",
            "message": "x",
            "detail": "d",
            "hint": "h",
            "problems": [{"file": None, "line": None, "key": "k", "message": "m", "hint": None}],
        }
    }


@pytest.mark.parametrize(
    ("error", "inside", "status"),
    [
        (DevboxError("x"), False, 1),
        (UsageError("x"), False, 2),
        (EngineUnavailableError("x"), False, 3),
        (EngineUnavailableError("x"), True, 125),
        (ProfileError("x"), True, 125),
        (InterruptedByUserError("x"), True, 130),
        (SignalledError(signal.SIGINT), False, 130),
        (SignalledError(signal.SIGTERM), True, 143),
        (SignalledError(signal.SIGHUP), False, 129),
    ],
)
def test_exit_statuses(error: DevboxError, inside: bool, status: int) -> None:
    assert failure.status(error, guest_command=inside) == status


def test_what_typer_says_becomes_one_plain_sentence() -> None:
    error = failure.from_typer(typer.BadParameter("'x' is not a valid integer.", param_hint="'--tail'"))
    assert isinstance(error, UsageError)
    assert error.message == "invalid value for '--tail': 'x' is not a valid integer"
    assert error.hint == "devbox --help"
