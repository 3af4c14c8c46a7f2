"""`profiles`: needs no engine, no project and no profile."""

import tomllib

from devbox.profile import catalogue
from tests.contract.cli.conftest import FakeWorld


def test_the_catalogue_is_listed_with_one_line_each(fake: FakeWorld) -> None:
    fake.write("this is no TOML")
    found = fake("profiles", "--json").document
    assert [one["name"] for one in found["profiles"]] == list(catalogue.names())
    assert all(set(one) == {"name", "summary"} and one["summary"] for one in found["profiles"])
    lines = fake("profiles").stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(catalogue.names())
    assert lines[0].endswith(catalogue.summary(catalogue.names()[0]))


def test_one_is_shown_as_a_file_that_could_be_kept(fake: FakeWorld) -> None:
    found = fake("profiles", "python", "--json").document
    assert set(found) == {"schema", "name", "summary", "about", "text"}
    assert found["about"].startswith("Everything of base, ")
    shown = fake("profiles", "python").stdout
    assert shown.startswith("# Everything of base, ")
    assert tomllib.loads(shown) == tomllib.loads(found["text"])


def test_one_that_is_not_there(fake: FakeWorld) -> None:
    for name, hint in (
        ("pyhton", "did you mean: devbox profiles python; there are: "),
        ("../devbox.toml", "there are: "),
    ):
        done = fake("profiles", name)
        assert (done.status, done.error) == (2, "usage")
        assert done.stderr.splitlines()[-1].startswith(f"hint: {hint}base, ")
