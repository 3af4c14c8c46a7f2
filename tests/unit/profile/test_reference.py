"""docs/reference/profile.md says what the model says.

`DEVBOX_WRITE_REFERENCE=1 pytest tests/unit/profile/test_reference.py` writes the table of keys anew.
"""

import os
import re
from pathlib import Path

import tomli

from devbox.profile.linemap import linemap
from devbox.profile.model import Profile
from devbox.profile.outside import USER_KEYS, VARIABLES
from devbox.profile.schema import rows

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "profile.md"
MARK = "<!-- written by tests/unit/profile/test_reference.py from the model -->\n"
# Alternatives of a key that is in the example, or of a later version.
NOT_IN_THE_EXAMPLE = re.compile(
    r"base\.(dockerfile|target|disk|sha256)|packages\.(go|rust|java|ruby|php|c)(\.(version|install|extensions))?|secrets\.NAME\.file|"
    r"provision\[\]\.(script|ansible)|services\.NAME\.(packages|run)|sync\.on_change\[\]\.run|resources\.(disk|gpus)|"
    r"network\.allow|prod\.(dockerfile|ssh)"
)


def table() -> str:
    lines = ["", "| key | form | default | meaning |", "|---|---|---|---|"]
    for key, form, default, meaning in rows():
        shown = f"`{default}`" if default else ""
        lines.append(f"| `{key}` | {form} | {shown} | {meaning.replace('|', ' or ')} |")
    return "\n".join(lines) + "\n"


def test_the_table_of_keys_is_the_models() -> None:
    head, _, body = PAGE.read_text(encoding="utf-8").partition(MARK)
    if os.environ.get("DEVBOX_WRITE_REFERENCE"):
        PAGE.write_text(head + MARK + table(), encoding="utf-8")
        body = table()
    assert body == table()


def example() -> str:
    match = re.search(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert match
    return match[1]


def test_the_example_is_a_valid_profile() -> None:
    Profile.model_validate(tomli.loads(example()))


def test_the_example_has_every_key() -> None:
    def general(path: str) -> str:
        path = re.sub(r"\[\d+\]", "[]", path)
        return re.sub(r"^(secrets|ports|services|tasks|machines)\.[^.]+", r"\1.NAME", path)

    shown = {general(path) for path in linemap(example())} | {"env.NAME"}
    missing = [key for key, *_ in rows() if key not in shown and not NOT_IN_THE_EXAMPLE.fullmatch(key)]
    assert missing == []


def test_variables_and_the_users_keys_are_listed() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for variable, key in VARIABLES.items():
        assert f"| `{variable}` | `{key}` |" in text
    for key in USER_KEYS:
        assert key.rpartition(".")[2] in text
