"""The JSON Schema: current, complete, and about the same documents as the model."""

import json
from pathlib import Path

import pytest
import tomli

import devbox
from devbox.profile.model import Profile
from devbox.profile.schema import SCHEMA_ID, SCHEMA_LINE, known_keys, rows, schema, schema_text

REPO = Path(__file__).parents[3]


def test_the_shipped_copy_is_current() -> None:
    shipped = Path(devbox.__file__).parent / "data" / "schema.json"
    assert shipped.read_text(encoding="utf-8") == schema_text(), "write devbox.profile.schema.schema_text() to it"


def test_it_says_what_it_is() -> None:
    assert schema()["$id"] == SCHEMA_ID
    assert schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema()["additionalProperties"] is False
    assert json.loads(schema_text()) == schema()


def test_every_key_has_a_meaning() -> None:
    assert [key for key, _, _, meaning in rows() if not meaning] == []


def test_it_has_the_models_keys() -> None:
    assert set(known_keys(())) == set(Profile.model_fields)
    assert known_keys(("provision", 0)) == ("name", "run", "script", "copy", "ansible", "when", "repeat")
    assert known_keys(("machines", "x", "ports", "y")) == ("guest", "host", "protocol", "expose")
    assert known_keys(("env",)) == ("from_host",)
    assert known_keys(("name", "x")) == ()


def test_it_knows_the_shorthands() -> None:
    port = schema()["properties"]["ports"]["additionalProperties"]
    assert {"type": "integer", "minimum": 1, "maximum": 65535} in port["anyOf"]
    assert {"type": "string"} in schema()["properties"]["tasks"]["additionalProperties"]["anyOf"]


def test_it_has_no_null_which_toml_cannot_say() -> None:
    assert '"null"' not in schema_text()


@pytest.mark.parametrize(
    "file",
    sorted([*REPO.glob("examples/*/devbox.toml"), *REPO.glob("profiles/*/devbox.toml")]),
    ids=lambda path: path.parent.name,
)
def test_written_profiles_begin_with_its_line_and_are_valid(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.splitlines()[0] == SCHEMA_LINE
    Profile.model_validate(tomli.loads(text))
