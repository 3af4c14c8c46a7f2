"""A plan whose profile has other values of variables, and above all what is more than that."""

from dataclasses import replace
from pathlib import Path

import pytest

from devbox.build.recipe import Step
from devbox.profile.explain import digest, effective
from devbox.profile.load import load
from devbox.workspace.revised import Revisable, Revision, revisable, revise
from tests.unit.workspace.test_prepared import SPEC

HEAD = '[base]\nimage = "debian:12"\n'
FIRST = HEAD + '[env]\nWORD = "one"\nOTHER = "1"\nSSL_CERT_FILE = "/own"\n'
GIVEN = replace(SPEC, env=(("OTHER", "1"), ("SSL_CERT_FILE", "/run/ca"), ("WORD", "one")))


def _write(directory: Path, text: str) -> None:
    (directory / "devbox.toml").write_text(text)


def _plan(directory: Path, *steps: Step) -> Revisable | None:
    loaded = load(directory, environ={})
    return revisable(directory, values=effective(loaded.profile), origins=loaded.origins, spec=GIVEN, steps=steps)


def _revised(directory: Path, text: str) -> Revision | None:
    _write(directory, FIRST)
    plan = _plan(directory)
    assert plan is not None
    _write(directory, text)
    return revise(directory, plan, GIVEN)


def test_another_value_gets_into_the_spec_and_the_digest_is_the_models(tmp_path: Path) -> None:
    text = FIRST.replace('"one"', "'''t w o'''") + "# said\n"
    made = _revised(tmp_path, text)
    assert made is not None
    assert made.spec == replace(GIVEN, env=(("OTHER", "1"), ("SSL_CERT_FILE", "/run/ca"), ("WORD", "t w o")))
    assert made.profile == digest(load(tmp_path, environ={}).profile)
    _write(tmp_path, FIRST)
    again = revise(tmp_path, made.revisable, made.spec)
    assert again is not None
    assert again.spec == GIVEN


@pytest.mark.parametrize(
    ("then", "now"),
    [
        ("debian:12", "debian:13"),
        ("OTHER", 'MORE = "1"\nOTHER'),
        ('OTHER = "1"\n', ""),
        ('"one"', "1"),
        ('"one"', "{}"),
        ('"one"', '["one"]'),
        ('"one"', r'"o\u0000ne"'),
        ('"one"', '"öne"'),
        ('"one"', '"one'),
        ('"one"', '"ghp_' + "a" * 36 + '"'),
        ("/own", "/mine"),
        ("OTHER", "from_host"),
        ("[base]", '[tasks]\na = "b"\n[base]'),
        (FIRST, HEAD),
        (FIRST, "env = 1\n" + HEAD),
        (FIRST, ""),
    ],
)
def test_what_is_more_than_that_is_not_for_here(tmp_path: Path, then: str, now: str) -> None:
    assert then in FIRST
    assert _revised(tmp_path, FIRST.replace(then, now)) is None


def test_a_profile_that_is_gone_or_a_link_out_of_the_project_is_not_for_here(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    assert _revised(inside, FIRST) is not None
    plan = _plan(inside)
    assert plan is not None
    (inside / "devbox.toml").rename(tmp_path / "devbox.toml")
    assert revise(inside, plan, GIVEN) is None
    (inside / "devbox.toml").symlink_to("../devbox.toml")
    assert revise(inside, plan, GIVEN) is None


def test_what_a_step_names_another_layer_sets_or_devbox_sets_itself_may_not_change(tmp_path: Path) -> None:
    _write(tmp_path, FIRST)
    plan = _plan(tmp_path)
    assert plan is not None
    assert plan.names == ("OTHER", "WORD")
    named = _plan(tmp_path, Step(name="go", key="", script="export WORD=one"), Step(name="", key="", script="true"))
    assert named is not None
    assert named.names == ("OTHER",)
    in_chain = _plan(tmp_path, Step(name="variables", key="env", script="", env=(("OTHER", "1"), ("WORD", "one"))))
    assert in_chain is None
    (tmp_path / "devbox.local.toml").write_text('[env]\nWORD = "one"\n')
    layered = _plan(tmp_path)
    assert layered is not None
    assert layered.names == ("OTHER",)


def test_a_profile_that_changed_while_it_was_worked_out_is_not_gone_by(tmp_path: Path) -> None:
    _write(tmp_path, FIRST)
    loaded = load(tmp_path, environ={})
    _write(tmp_path, FIRST.replace('"one"', '"two"'))
    made = revisable(tmp_path, values=effective(loaded.profile), origins=loaded.origins, spec=GIVEN, steps=())
    assert made is None
