"""Builder over FakeEngine: what runs, what is kept, and what is left when things go wrong."""

import io
import stat
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from devbox.build.recipe import Recipe, Step
from devbox.build.run import Builder, BuildOrder, Built
from devbox.build.stepping import HOSTNAME
from devbox.engine.base import ContainerRequest
from devbox.errors import (
    BaseImageError,
    BuildFailedError,
    EngineUnavailableError,
    ProfileError,
    SecretMissingError,
    ToolchainError,
)
from devbox.values import LABEL_OWNER, LABEL_RECIPE, LABEL_ROLE, LABEL_WORKSPACE
from tests.fakes.engine import FakeEngine
from tests.fakes.engine_streams import Outcome
from tests.fakes.reporter import RecordingReporter
from tests.support.build import labels, nothing

REPOSITORY = "devbox/shop"


class Bench:
    """An engine with a base, and a recipe of three steps and one that runs nothing."""

    def __init__(self, directory: Path) -> None:
        self.engine = FakeEngine(on_command=self._on_command)
        self.base = self.engine.add_image("debian:12", env={"PATH": "/bin"})
        self.reporter = RecordingReporter()
        self.logs = directory / "logs"
        self.order = BuildOrder(
            recipe=Recipe(
                base=self.base.id,
                base_layers=1,
                env=self.base.env,
                steps=(
                    Step(name="one", key="packages.system", script="echo one\n", caches=("apt",)),
                    Step(name="two", key="user", script="echo two\n", env=(("LANG", "C.UTF-8"),)),
                    Step(name="three", key="provision[0]", script="echo three\n", secrets=("TOKEN",)),
                    Step(name="four", key="env", script="", env=(("PATH", "/opt/bin:/bin"),)),
                ),
            ),
            inputs=nothing(directory),
            labels=labels("abcd1234"),
            repository=REPOSITORY,
            log_directory=self.logs,
            secrets={"TOKEN": "s3cret-canary"},
            ca_bundle=b"-----BEGIN",
        )
        self.outcomes: dict[str, Outcome | BaseException] = {}
        self.ran: list[str] = []
        self.stdin: dict[str, bytes] = {}

    def _on_command(self, request: ContainerRequest, stdin: bytes) -> Outcome:
        name = request.command[-1].rsplit("echo ", 1)[-1].strip()
        self.ran.append(name)
        self.stdin[name] = stdin
        outcome = self.outcomes.get(name, Outcome(stdout=f"{name} done\n".encode()))
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def build(self, **changes: object) -> Built:
        return Builder(self.engine, self.reporter).build(replace(self.order, **changes))  # type: ignore[arg-type]

    def with_step(self, index: int, **changes: object) -> Recipe:
        steps = list(self.order.recipe.steps)
        steps[index] = replace(steps[index], **changes)  # type: ignore[arg-type]
        return replace(self.order.recipe, steps=tuple(steps))

    @property
    def tags(self) -> set[str]:
        return {tag for image in self.engine.image_store.values() for tag in image.tags} - {"debian:12"}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_every_step_runs_once_and_the_last_layer_gets_the_name(bench: Bench) -> None:
    built = bench.build()
    assert bench.ran == ["one", "two", "three"]
    assert built.run == ("one", "two", "three", "four")
    assert built.reused == 0
    assert built.reference == f"{REPOSITORY}:{bench.order.recipe.digest[:12]}"
    assert bench.tags == {built.reference}
    assert bench.engine.container_store == {}


def test_the_image_has_exactly_the_planned_configuration(bench: Bench) -> None:
    image = bench.engine.image_store[bench.build().image]
    assert dict(image.env) == {"PATH": "/opt/bin:/bin", "LANG": "C.UTF-8"}
    assert image.labels[LABEL_RECIPE] == bench.order.recipe.digest
    assert image.labels[LABEL_ROLE] == "layer"
    assert image.labels[LABEL_WORKSPACE] == "abcd1234"


def test_a_second_build_runs_nothing(bench: Bench) -> None:
    first = bench.build()
    bench.ran.clear()
    containers = len(bench.engine.requests)
    second = bench.build()
    assert (second.image, second.run, second.reused) == (first.image, (), 4)
    assert bench.ran == []
    assert len(bench.engine.requests) == containers


def test_no_cache_runs_everything_again(bench: Bench) -> None:
    bench.build()
    bench.ran.clear()
    bench.build(no_cache=True)
    assert bench.ran == ["one", "two", "three"]


def test_a_changed_step_keeps_the_layers_before_it(bench: Bench) -> None:
    bench.build()
    bench.ran.clear()
    built = bench.build(recipe=bench.with_step(2, script="echo 3\n"))
    assert bench.ran == ["3"]
    assert built.reused == 2


def test_a_layer_that_somebody_removed_is_made_again(bench: Bench) -> None:
    first = bench.build()
    bench.engine.remove_image(first.image, force=True)
    bench.ran.clear()
    assert bench.build().run == ("four",)


def test_layers_of_another_owner_are_not_taken(bench: Bench) -> None:
    bench.build()
    bench.ran.clear()
    bench.build(labels={**bench.order.labels, LABEL_OWNER: "1001-ffffffff"})
    assert bench.ran == ["one", "two", "three"]


def test_a_failing_step_says_all_and_keeps_the_layers_before_it(bench: Bench) -> None:
    lines = "".join(f"line {number}\n" for number in range(40)).encode()
    bench.outcomes["three"] = Outcome(exit_code=7, stderr=lines)
    with pytest.raises(BuildFailedError) as caught:
        bench.build()
    error = caught.value
    assert "'three' failed with exit code 7" in error.message
    shown = str(error.detail).splitlines()
    assert shown[0] == "line 10"
    assert "command: echo three" in shown
    assert f"log: {bench.logs}/03-three.log" in shown
    assert "devbox shell --failed" in str(error.hint)
    assert error.problems[0].key == "provision[0]"
    assert bench.tags == {f"{REPOSITORY}:failed-abcd1234"}
    assert bench.engine.image(f"{REPOSITORY}:failed-abcd1234").labels[LABEL_ROLE] == "failed"  # type: ignore[union-attr]
    assert bench.engine.container_store == {}
    bench.outcomes.clear()
    bench.ran.clear()
    assert bench.build().reused == 2
    assert bench.ran == ["three"]
    assert f"{REPOSITORY}:failed-abcd1234" not in bench.tags


def test_a_failed_state_is_never_taken_for_a_layer(bench: Bench) -> None:
    bench.outcomes["three"] = Outcome(exit_code=1)
    for _ in range(2):
        with pytest.raises(BuildFailedError):
            bench.build()
    assert bench.ran.count("three") == 2


def test_being_killed_for_memory_is_said(bench: Bench) -> None:
    bench.outcomes["two"] = Outcome(exit_code=137, oom_killed=True)
    with pytest.raises(BuildFailedError, match="killed for memory"):
        bench.build()


def test_a_version_found_wanting_in_the_step_is_the_users_to_mend(bench: Bench) -> None:
    words = b"noise\ndevbox: this base has Python 3.8.1, the profile asks for 3.9\n"
    bench.outcomes["one"] = Outcome(exit_code=78, stderr=words)
    with pytest.raises(ToolchainError, match=r"this base has Python 3\.8\.1") as caught:
        bench.build()
    assert caught.value.exit_status == 2


def test_a_programs_own_78_is_an_ordinary_failure(bench: Bench) -> None:
    bench.outcomes["one"] = Outcome(exit_code=78)
    with pytest.raises(BuildFailedError):
        bench.build()


def test_a_base_without_tar_is_said(bench: Bench) -> None:
    bench.outcomes["one"] = Outcome(exit_code=79, stderr=b"devbox: this base has no tar\n")
    with pytest.raises(BaseImageError) as caught:
        bench.build()
    assert "no tar" in str(caught.value.detail)


@pytest.mark.parametrize("call", ["create", "attach", "start", "receive", "wait", "commit", "tag"])
def test_an_engine_that_dies_leaves_no_name_behind_and_the_next_build_goes_on(bench: Bench, call: str) -> None:
    bench.engine.drop_on(call, nth=1 if call == "tag" else 2)
    with pytest.raises(EngineUnavailableError):
        bench.build()
    assert bench.tags == set()
    bench.engine.come_back()
    built = bench.build()
    assert bench.tags == {built.reference}
    assert built.reused >= 1
    assert bench.engine.container_store == {}


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt(), SystemExit(143)])
def test_an_interrupt_removes_the_steps_container(bench: Bench, interrupt: BaseException) -> None:
    bench.outcomes["two"] = interrupt
    with pytest.raises(type(interrupt)):
        bench.build()
    assert bench.engine.container_store == {}
    assert bench.tags == set()


def test_containers_of_a_killed_build_are_swept_and_no_others(bench: Bench) -> None:
    def left(workspace: str, owner: str = "test") -> str:
        marked = {**labels(workspace, owner), LABEL_ROLE: "step"}
        request = ContainerRequest(
            name=None, image=bench.base.id, command=("cat",), labels=tuple(marked.items()), stdin=True
        )
        return bench.engine.create(request)

    ours, others = left("abcd1234"), left("ffff0000")
    elsewhere = left("abcd1234", owner="another machine")
    bench.build()
    assert bench.engine.container(ours) is None
    assert bench.engine.container(others) is not None
    assert bench.engine.container(elsewhere) is not None


def test_a_secret_is_delivered_and_is_nowhere_else(bench: Bench) -> None:
    bench.outcomes["three"] = Outcome(stdout=b"token: s3cret-canary\n")
    built = bench.build()
    with tarfile.open(fileobj=io.BytesIO(bench.stdin["three"])) as tar:
        assert tar.extractfile("secrets/TOKEN").read() == b"s3cret-canary"  # type: ignore[union-attr]
    assert b"s3cret" not in bench.stdin["one"] + bench.stdin["two"]
    assert "s3cret" not in repr(bench.engine.requests) + repr(bench.engine.image_store[built.image])
    said = [line for step in bench.reporter.steps for line in step.lines]
    assert "token: ***" in said
    assert not any("s3cret" in path.read_text() for path in bench.logs.iterdir())
    assert "s3cret" not in repr(bench.order)


def test_a_missing_secret_stops_the_build_before_anything_is_made(bench: Bench) -> None:
    with pytest.raises(SecretMissingError) as caught:
        bench.build(secrets={})
    assert caught.value.problems[0].key == "secrets.TOKEN"
    assert bench.engine.requests == []


def test_a_secret_of_a_step_that_need_not_run_is_not_asked_for(bench: Bench) -> None:
    bench.build()
    assert bench.build(secrets={}).run == ()


def test_steps_get_no_more_rights_than_they_need(bench: Bench) -> None:
    bench.build()
    for request in bench.engine.requests:
        assert "SYS_ADMIN" not in request.capabilities
        assert {mount.target for mount in request.mounts} <= {"/run/devbox", "/run/devbox/cache/apt"}
        assert dict(request.labels)[LABEL_ROLE] == "step"
    cache = next(name for name in bench.engine.volume_store)
    assert bench.engine.volume_store[cache][LABEL_ROLE] == "cache"
    assert LABEL_WORKSPACE not in bench.engine.volume_store[cache]


def test_a_step_that_makes_the_mount_point_has_no_mount(bench: Bench) -> None:
    bench.build(recipe=bench.with_step(0, caches=(), bare=True, network=False))
    first = bench.engine.requests[0]
    assert first.mounts == ()
    assert first.network == "none"
    assert not first.stdin


def test_steps_run_on_a_host_of_one_name_since_packages_write_it_down(bench: Bench) -> None:
    bench.build()
    assert {request.hostname for request in bench.engine.requests} == {HOSTNAME}


def test_logs_are_the_owners_alone_and_of_the_last_build(bench: Bench) -> None:
    bench.build()
    assert sorted(path.name for path in bench.logs.iterdir()) == ["01-one.log", "02-two.log", "03-three.log"]
    assert (bench.logs / "01-one.log").read_text() == "one done\n"
    assert stat.S_IMODE((bench.logs / "01-one.log").stat().st_mode) == 0o600
    bench.build(recipe=bench.with_step(2, script="echo 3\n"))
    assert [path.name for path in bench.logs.iterdir()] == ["03-three.log"]


def test_control_characters_of_the_guest_do_not_get_into_the_log(bench: Bench) -> None:
    bench.outcomes["one"] = Outcome(stdout=b"\x1b]52;c;eA==\x07 ok\n")
    bench.build()
    assert "\x1b" not in (bench.logs / "01-one.log").read_text()


def test_logs_that_cannot_be_written_do_not_stop_a_build(bench: Bench) -> None:
    bench.logs.write_text("a file is in the way")
    assert bench.build().run


def test_too_many_layers_are_refused_before_the_engine_would(bench: Bench) -> None:
    many = replace(
        bench.order.recipe,
        steps=tuple(Step(name=f"s{n}", key=f"provision[{n}]", script=f"echo {n}\n") for n in range(100)),
    )
    with pytest.raises(ProfileError, match="101 layers") as caught:
        bench.build(recipe=many)
    assert "join several" in str(caught.value.hint)
    assert bench.engine.requests == []


def test_an_image_that_vanishes_before_it_is_named_is_no_success(bench: Bench) -> None:
    commit = bench.engine.commit

    def lose(container_id: str, **how: object) -> str:
        image = commit(container_id, **how)  # type: ignore[arg-type]
        if how["message"] == "four":
            bench.engine.remove_image(image, force=True)
        return image

    bench.engine.commit = lose  # type: ignore[method-assign]
    with pytest.raises(BuildFailedError, match="does not have the image"):
        bench.build()
    assert bench.tags == set()


def test_other_variables_go_on_from_below_what_stands_without_a_search(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = bench.build()
    bench.ran.clear()

    def search(labels: object) -> None:
        raise AssertionError("an engine takes long to list its images")

    monkeypatch.setattr(bench.engine, "images", search)
    built = bench.build(recipe=bench.with_step(3, env=(("PATH", "/bin"),)), standing=(before.image,))
    assert (built.run, built.reused, bench.ran) == (("four",), 3, [])


def test_a_state_of_another_owner_below_what_stands_is_not_taken(bench: Bench) -> None:
    before = bench.build()
    bench.ran.clear()
    other = {**bench.order.labels, LABEL_OWNER: "somebody-else"}
    recipe = bench.with_step(3, env=(("PATH", "/bin"),))
    assert bench.build(recipe=recipe, standing=(before.image,), labels=other).reused == 0
    assert bench.ran == ["one", "two", "three"]
