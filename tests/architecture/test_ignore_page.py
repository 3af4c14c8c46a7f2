import re

from devbox.sync.core.ignore import DEFAULTS
from devbox.sync.core.names import PROTECTED
from tests.support.tree import ROOT

PAGE = (ROOT / "docs" / "reference" / "ignore.md").read_text(encoding="utf-8")


def test_the_page_lists_what_is_protected_and_nothing_else() -> None:
    part = PAGE.split("## Protected on the host")[1].split("\n\n")[2]
    assert re.findall(r"`([^`]+)`", part) == [line.removeprefix("**/") for line in PROTECTED]


def test_the_page_lists_the_defaults_and_nothing_else() -> None:
    part = PAGE.split("Defaults:")[1].split(". A rule")[0]
    assert re.findall(r"`([^`]+)`", part) == list(DEFAULTS)
