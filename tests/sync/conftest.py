"""What the scenarios share and has to be ended: the machine of this process of the tests."""

from collections.abc import Iterator

import pytest

from tests.sync.pairs.machine import THE_MACHINE


@pytest.fixture(scope="session", autouse=True)
def _the_machine_ends() -> Iterator[None]:
    yield
    THE_MACHINE.end()
