"""docs/reference/toolchains.md has the table.

`DEVBOX_WRITE_REFERENCE=1 pytest tests/unit/profile/toolchains/test_reference.py` writes it anew.
"""

import os
import re
from pathlib import Path

import pytest

from devbox.profile.toolchains.constraint import parse
from devbox.profile.toolchains.releases import TITLES, TOOLS, held
from devbox.profile.toolchains.table import HELD

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "toolchains.md"
MARK = "<!-- written by tests/unit/profile/toolchains/test_reference.py from the table -->\n"


def table() -> str:
    lines = ["", f"| Release | {' | '.join(TITLES[tool] for tool in TOOLS)} |", "|---" * (len(TOOLS) + 1) + "|"]
    for release in HELD:
        versions = (", ".join(one.version for one in held(release, tool)) for tool in TOOLS)
        lines.append(f"| `{release}` | {' | '.join(versions)} |")
    return "\n".join(lines) + "\n"


def test_the_page_has_the_table() -> None:
    head, _, body = PAGE.read_text(encoding="utf-8").partition(MARK)
    if os.environ.get("DEVBOX_WRITE_REFERENCE"):
        PAGE.write_text(head + MARK + table(), encoding="utf-8")
        body = table()
    assert body == table()


WRITTEN = re.findall(r'^\| ((?:`"[^`]+"`(?:, )?)+)', PAGE.read_text(encoding="utf-8"), re.MULTILINE)
EXAMPLES = [text.replace("\\", "") for cell in WRITTEN for text in re.findall(r'`"([^`]+)"`', cell)]


@pytest.mark.parametrize("text", EXAMPLES)
def test_what_the_page_shows_can_be_written(text: str) -> None:
    assert parse(text).spans


def test_the_page_shows_something() -> None:
    assert len(EXAMPLES) > 15
