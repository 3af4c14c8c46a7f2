import pytest

from devbox.cli import catalogue
from devbox.cli.group import Verb
from devbox.cli.group import load as load_entry

EVERY = sorted(catalogue.ENTRIES)


def load(name: str) -> Verb:
    return load_entry(catalogue.ENTRIES[name])


@pytest.mark.parametrize("name", EVERY)
def test_a_verb_teaches_by_two_or_three_examples_and_names_the_next_command(name: str) -> None:
    verb = load(name)
    assert verb.name == name
    assert 2 <= len(verb.examples) <= 3
    assert all("devbox" in example for example, _ in verb.examples)
    assert verb.next_step
    assert verb.help


@pytest.mark.parametrize("name", EVERY)
def test_no_option_of_a_verb_hides_a_global_one(name: str) -> None:
    options = [option for param in load(name).params for option in param.opts if option.startswith("-")]
    assert len(options) == len(set(options))
    assert {"-C", "--project", "-q", "-v", "--json", "--no-input", "--version"} <= set(options)


@pytest.mark.parametrize(("alias", "name"), [("ssh", "shell"), ("stop", "halt")])
def test_vagrants_words_work(alias: str, name: str) -> None:
    assert catalogue.resolve(alias) is catalogue.ENTRIES[name]


@pytest.mark.parametrize(("typed", "meant"), [("hlat", "halt"), ("staus", "status"), ("Shell", "shell"), ("xyz", None)])
def test_a_typo_is_understood(typed: str, meant: str | None) -> None:
    assert catalogue.suggest(typed) == meant
