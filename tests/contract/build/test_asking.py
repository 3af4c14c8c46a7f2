"""A question's container on FakeEngine: the step that the answer leads to goes on in it, or it is removed."""

from dataclasses import replace
from pathlib import Path

import pytest

from devbox.build.early import Early, as_text, early, from_text
from devbox.build.recipe import Question, Recipe, Step
from devbox.build.run import Builder, BuildOrder
from devbox.build.stepping import ANSWERED, LISTENING
from devbox.engine.base import ContainerRequest, Engine
from devbox.errors import EngineUnavailableError
from devbox.values import LABEL_RECIPE
from tests.fakes.engine import FakeEngine
from tests.fakes.engine_streams import Outcome
from tests.fakes.reporter import RecordingReporter
from tests.support.build import labels, nothing
from tests.support.desk import script_of

LAST = Step(name="two", key="packages.system", script="echo two\n", caches=("apt",))


class Bench:
    """An engine with a base, a recipe of one step, and a question behind it."""

    def __init__(self, directory: Path) -> None:
        self.engine = FakeEngine(on_command=self._on_command)
        self.base = self.engine.add_image("debian:12", env={"PATH": "/bin"})
        self.said = f"first\nsecond\n{ANSWERED}\n"
        self.given: list[bytes] = []  # what came to the question's container before it went
        question = Question(
            key="system", name="ask", asked="a" * 64, script="echo first\n", caches=("apt", "more"), stays=True
        )
        first = Step(name="one", key="user", script="echo one\n")
        self.asking = BuildOrder(
            recipe=Recipe(base=self.base.id, env=self.base.env, steps=(first,), open=question),
            inputs=nothing(directory),
            labels=labels("abcd1234"),
            repository="devbox/shop",
            log_directory=directory / "logs",
            secrets={"TOKEN": "s3cret-canary"},
            ca_bundle=b"-----BEGIN",
        )

    def _on_command(self, request: ContainerRequest, stdin: bytes) -> Outcome:
        return Outcome(stdout=self.said.encode()) if "echo first" in script_of(request, stdin) else Outcome()

    def order(self, *more: Step) -> BuildOrder:
        recipe = self.asking.recipe
        return replace(self.asking, recipe=replace(recipe, steps=(*recipe.steps, *more), open=None))

    def builder(self, early: Early | None = None) -> Builder:
        return Builder(self.engine, RecordingReporter(), early=early)

    def expected(self) -> str:
        """Return what the container of the question is made of, as a build before has written it down."""
        builder = self.builder()
        builder.build(self.order())
        return builder.expected(self.asking)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_the_step_goes_on_in_the_container_of_the_question(bench: Bench) -> None:
    with bench.builder() as builder:
        assert builder.ask(bench.asking) == ("first", "second")
        [standing] = bench.engine.container_store.values()
        assert standing.request.stdin
        built = builder.build(bench.order(LAST))
        assert standing.stdin.endswith(b"echo two\n")
        assert bench.engine.container_store == {}
    assert len(bench.engine.requests) == 2, "the first step, and the question"
    assert built.run == ("one", "two")
    assert bench.engine.image_store[built.image].labels[LABEL_RECIPE] == built.digest


def test_nobody_who_does_not_close_the_builder_is_left_with_a_container(bench: Bench) -> None:
    bench.said = "first\nsecond\n"
    builder = bench.builder()
    assert builder.ask(bench.asking) == ("first", "second")
    assert bench.engine.requests[-1].command[-1] != LISTENING
    assert ANSWERED not in bench.engine.requests[-1].command[-1]
    assert bench.engine.container_store == {}


@pytest.mark.parametrize(
    "step",
    [
        replace(LAST, env=(("LANG", "C"),)),
        replace(LAST, caches=("pip",)),
        replace(LAST, secrets=("TOKEN",)),
        replace(LAST, texts=(("a.txt", "a"),)),
        replace(LAST, network=False),
        replace(LAST, bare=True),
        replace(LAST, script=""),
    ],
    ids=["variables", "cache", "secret", "files", "network", "bare", "nothing to run"],
)
def test_a_step_that_needs_another_container_gets_one(bench: Bench, step: Step) -> None:
    with bench.builder() as builder:
        builder.ask(bench.asking)
        builder.build(bench.order(step))
        assert len(bench.engine.requests) == 3
    assert bench.engine.container_store == {}


def test_a_question_that_left_traces_is_asked_in_a_container_of_its_own(bench: Bench) -> None:
    bench.said = "first\nsecond\n"
    with bench.builder() as builder:
        assert builder.ask(bench.asking) == ("first", "second")
        assert bench.engine.container_store == {}
        builder.build(bench.order(LAST))
    assert len(bench.engine.requests) == 3


def test_the_container_goes_if_the_answer_leads_nowhere(bench: Bench) -> None:
    with bench.builder() as builder:
        builder.ask(bench.asking)
        assert len(bench.engine.container_store) == 1
    assert bench.engine.container_store == {}


def test_a_container_that_was_started_early_is_asked(bench: Bench) -> None:
    text = bench.expected()
    before = len(bench.engine.requests)
    with early(lambda: bench.engine, text) as found, bench.builder(found) as builder:
        assert builder.ask(bench.asking) == ("first", "second")
        assert len(bench.engine.requests) == before + 1
        assert builder.build(bench.order(LAST)).run == ("two",)
        assert len(bench.engine.requests) == before + 1, "the step goes on in it"
    assert bench.engine.container_store == {}


def test_one_for_another_state_is_not_asked_and_goes(bench: Bench) -> None:
    request = from_text(bench.expected())
    assert request is not None
    other = as_text(replace(request, env=(*request.env, ("LANG", "C"))))
    before = len(bench.engine.requests)
    with early(lambda: bench.engine, other) as found, bench.builder(found) as builder:
        assert builder.ask(bench.asking) == ("first", "second")
        assert len(bench.engine.requests) == before + 2
    assert bench.engine.container_store == {}


def test_one_that_another_command_has_removed_is_not_missed(bench: Bench) -> None:
    with early(lambda: bench.engine, bench.expected()) as found, bench.builder(found) as builder:
        assert found is not None
        bench.engine.remove(found.container)
        assert builder.ask(bench.asking) == ("first", "second")
    assert bench.engine.container_store == {}


def test_nobody_is_asked_early_without_an_engine_or_an_image(bench: Bench) -> None:
    def nowhere() -> Engine:
        raise EngineUnavailableError("no engine answers")

    text = bench.expected()
    with early(nowhere, text) as found:
        assert found is not None
        assert found.container == ""
        request = from_text(text)
        assert request is not None
        assert found.take(request) is None


def test_what_is_written_down_is_what_is_asked_for(bench: Bench) -> None:
    text = bench.expected()
    bench.builder().ask(bench.asking)
    with bench.builder() as builder:
        builder.ask(bench.asking)
        assert from_text(text) == bench.engine.requests[-1]


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"image": 1}', "x"])
def test_what_is_no_request_starts_nothing(bench: Bench, text: str) -> None:
    with early(lambda: bench.engine, text) as found:
        assert found is None
    assert bench.engine.requests == []
