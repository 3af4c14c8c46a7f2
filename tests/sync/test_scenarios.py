"""The acceptance matrix on devbox: each scenario, over each way to the guest."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.sync.matrix import SCENARIOS, fits, play
from tests.sync.pairs.container import ContainerPair, RemotePair
from tests.sync.pairs.far import FarPair
from tests.sync.pairs.local import LocalPair
from tests.sync.pairs.machine import MachinePair
from tests.sync.pairs.session import SessionPair
from tests.sync.stage import Pair, Scenario

_PAIRS = (LocalPair, ContainerPair, RemotePair, FarPair, MachinePair)
# Rows that are played by day as well where another end than a container's is slow; at night all of them are.
_BY_DAY = {RemotePair: (1, 2, 7, 9, 13, 20, 31), FarPair: (1, 2, 7, 9, 31), MachinePair: (1, 2, 7, 31)}


def _cases() -> Iterator[object]:
    for kind in _PAIRS:
        for scenario in SCENARIOS:
            if fits(scenario, kind):
                late = scenario.nightly or scenario.number not in _BY_DAY.get(kind, (scenario.number,))
                long = [pytest.mark.timeout(3600)] if scenario.nightly else []  # the first one counts
                marks = [*long, *kind.marks, *([pytest.mark.nightly] if late else [])]
                yield pytest.param(scenario, kind, id=f"{kind.name}-{scenario.id}", marks=marks)


@pytest.mark.parametrize(("scenario", "kind"), list(_cases()))
def test_scenario(scenario: Scenario, kind: type[SessionPair], tmp_path: Path) -> None:
    with _begun(kind(scenario, tmp_path)) as pair:
        outcome = play(scenario, pair)
    assert not outcome.wrong


@contextmanager
def _begun(pair: SessionPair) -> Iterator[Pair]:
    try:
        pair.begin()
        yield pair
    finally:
        pair.close()


def test_every_row_of_the_matrix_has_its_scenario() -> None:
    assert {scenario.number for scenario in SCENARIOS} == set(range(1, 33))
