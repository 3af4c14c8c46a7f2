import contextlib
import json
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbox.supervisor.protocol import (
    Answer,
    ControlError,
    Failed,
    Forward,
    Wanted,
    answer,
    document,
    line,
    parse,
    wanted,
)

pytestmark = pytest.mark.long

PORT = Wanted(name="web", guest=80, host=8080)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def test_what_was_written_is_read() -> None:
    found = Answer(
        ports=(Forward(name="web", guest=1, host=2, wanted=3, protocol="udp", address="::1", declared=False),),
        failed=(Failed(name="api", host=4, reason="taken", detail="é"),),
    )
    assert answer(parse(line(document(found)))) == found
    assert wanted(parse(line(asdict(PORT)))) == PORT


@pytest.mark.parametrize(
    "change",
    [
        {"guest": 0},
        {"guest": 65536},
        {"host": -1},
        {"kept": 65536},
        {"guest": "80"},
        {"guest": True},
        {"declared": 1},
        {"protocol": "sctp"},
        {"name": None},
        {"more": 1},
    ],
)
def test_a_port_that_is_none_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ControlError):
        wanted({**asdict(PORT), **change})


@given(JSON)
def test_whatever_comes_only_our_error_leaves(value: object) -> None:
    for read in (wanted, lambda value: answer(parse(json.dumps(value).encode()))):
        try:
            read(value)
        except ControlError:
            continue


@given(st.binary())
def test_whatever_the_bytes_only_our_error_leaves(data: bytes) -> None:
    with contextlib.suppress(ControlError):
        assert isinstance(parse(data), dict)
