"""What the published comparison says of the case that matters most, seen again: the peer beside devbox."""

import shutil
from pathlib import Path

import pytest

from tests.sync.matrix import SCENARIOS, Outcome, play
from tests.sync.pairs.local import LocalPair
from tests.sync.pairs.peers import peer
from tests.sync.stage import Scenario


@pytest.fixture(params=[one for one in SCENARIOS if one.name == "made-anew-with-other-content"], ids=lambda one: one.id)
def recreated(request: pytest.FixtureRequest) -> Scenario:
    found: Scenario = request.param
    return found


def by_unison(scenario: Scenario, directory: Path) -> Outcome:
    if shutil.which("unison") is None:
        pytest.skip("needs unison: apt-get install unison")
    with peer("unison", scenario, directory) as pair:
        return play(scenario, pair)


def test_where_unison_loses_the_host_s_files_devbox_deletes_nothing(recreated: Scenario, tmp_path: Path) -> None:
    assert any(said.startswith("LOST") for said in by_unison(recreated, tmp_path).wrong)
    (tmp_path / "ours").mkdir()
    pair = LocalPair(recreated, tmp_path / "ours")
    try:
        pair.begin()
        assert not play(recreated, pair).wrong
    finally:
        pair.close()
