"""The page that describes the content manifest says what the code does."""

import re

from devbox.parity.capture import PLACE
from devbox.parity.manifest import HEAD, VERSION, parse
from devbox.parity.noise import NOISE
from tests.support.tree import ROOT

PAGE = (ROOT / "docs" / "reference" / "manifest.md").read_text(encoding="utf-8")


def test_it_lists_all_noise_and_nothing_else() -> None:
    rows = re.findall(r"^\| `(/[^`]+)` \| (.+) \| (.+) \|$", PAGE, re.MULTILINE)
    assert rows == [(one.pattern, one.treatment.value, one.why) for one in NOISE]


def test_its_example_is_a_manifest() -> None:
    (example,) = re.findall(rf"^```\n({HEAD} {VERSION}\n.+?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert len(parse(example.encode(), file="the page").entries) == 5
    assert PLACE in PAGE
