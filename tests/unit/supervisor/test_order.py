import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbox.supervisor.order import Rule, SyncOrder, order_document, parse_order
from devbox.supervisor.plain import plain
from devbox.supervisor.protocol import ControlError
from devbox.sync.core.modes import Mode
from devbox.sync.report import Difference, Doing, Status

pytestmark = pytest.mark.long

ORDER = SyncOrder(
    host="/src/shop",
    guest="/workspaces/shop",
    user="1000:1000",
    mode="two-way",
    git="host-to-guest",
    ignore=("/dist", "caf\udce9"),
    rules=(Rule(paths=("*.sql",), do="run", task="migrate"), Rule(paths=("a",), do="restart")),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["host", "rules", "mode"]), inner),
)


def test_an_order_goes_over_the_socket_as_it_is() -> None:
    assert parse_order(json.loads(json.dumps(order_document(ORDER)))) == ORDER


@given(JSON)
def test_what_is_no_order_is_refused(values: object) -> None:
    with pytest.raises(ControlError):
        parse_order(values)


@pytest.mark.parametrize("broken", [{"do": "sell"}, {"paths": "a"}, {"paths": [1]}, {"task": None}])
def test_a_rule_that_nobody_can_carry_out_is_refused(broken: dict[str, object]) -> None:
    document = order_document(ORDER)
    document["rules"] = [{"paths": ["a"], "do": "restart", "task": "", **broken}]
    with pytest.raises(ControlError):
        parse_order(document)


def test_what_a_session_says_becomes_plain_with_the_names_of_its_fields() -> None:
    status = Status(doing=Doing.WATCHING, conflicts=(Difference("a", "edited", "file", ""),))
    found = plain(status)
    assert isinstance(found, dict)
    assert (found["doing"], found["conflicts"]) == (
        "watching",
        [{"path": "a", "why": "edited", "host": "file", "guest": "", "since": 0}],
    )
    assert plain({Mode.TWO_WAY: b"\xff", "n": None}) == {"two-way": "\udcff", "n": None}
    with pytest.raises(TypeError):
        plain(object())
