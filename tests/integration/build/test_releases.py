"""The table of what distributions hold is what the archive says."""

import pytest

from scripts import releases


@pytest.mark.network
def test_the_table_is_what_debians_archive_holds() -> None:
    said: list[str] = []
    assert releases.check(releases.debian(releases.apts_mirror()), said.append) == 0, "\n".join(
        ["run scripts/releases.py:", *said]
    )
