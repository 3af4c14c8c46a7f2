"""Where a base comes from, over FakeEngine."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from devbox import paths
from devbox.build.base import BaseImage, Resolver
from devbox.engine.base import ContainerRequest, ImageInfo
from devbox.errors import BaseImageError, EngineError, RegistryUnreachableError
from devbox.process import Completed
from devbox.profile.model import Base
from tests.fakes.engine import FakeEngine
from tests.fakes.engine_streams import Outcome
from tests.fakes.processes import Call, FakeProcesses, completed
from tests.fakes.reporter import RecordedStep, RecordingReporter
from tests.support.build import labels

OS_RELEASE = b'ID=debian\nVERSION_ID="12"\n\n/usr/bin/tar\n'
DATE = "devbox-archive-date: Sun, 22 Nov 2026 02:09:05 UTC"


class Bench:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.inside = OS_RELEASE
        self.engine = FakeEngine(on_command=self._on_command)
        self.processes = FakeProcesses()
        self.reporter = RecordingReporter()

    def _on_command(self, request: ContainerRequest, stdin: bytes) -> Outcome:
        return Outcome(stdout=self.inside)

    def resolve(self, reference: str = "debian:12", **environ: str) -> BaseImage:
        resolver = Resolver(
            engine=self.engine,
            processes=self.processes,
            reporter=self.reporter,
            environ=environ,
            labels=labels("abcd1234"),
        )
        return resolver.resolve(Base(image=reference), directory=self.directory, repository="devbox/shop")

    def mmdebstrap(self, *dates: str) -> None:
        """Let mmdebstrap say these dates, one per run, and write a tar where it is asked to."""
        left = list(dates)

        def run(call: Call) -> Completed:
            for word in call.argv:
                if word.endswith(".tar"):
                    Path(word).write_bytes(b"a root file system of " + call.env["SOURCE_DATE_EPOCH"].encode())
            return completed(left.pop(0) if len(left) > 1 else left[0])

        self.processes.answer("mmdebstrap", with_=run)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    keyring = tmp_path / "keyring.gpg"
    keyring.write_text("keys")
    monkeypatch.setattr("devbox.build.debian_maker.KEYRINGS", (str(keyring), str(keyring)))
    monkeypatch.setattr("devbox.build.bootstrap.platform.machine", lambda: "x86_64")
    return Bench(tmp_path)


def test_a_local_image_is_taken_first_and_looked_into_once(bench: Bench) -> None:
    bench.engine.add_image("debian:12", env={"PATH": "/bin"})
    base = bench.resolve()
    assert (base.family, base.distribution, base.version) == ("debian", "debian", "12")
    assert not base.prepared
    assert bench.engine.calls_of("pull") == []
    assert bench.resolve() == base
    assert len(bench.engine.requests) == 1
    assert bench.engine.requests[0].network == "none"
    assert bench.engine.container_store == {}


def test_what_is_not_there_is_pulled(bench: Bench) -> None:
    image = FakeEngine().add_image("shop/base:1")
    bench.engine.registry = {"shop/base:1": image}
    assert bench.resolve("shop/base:1").id == image.id


def pinned(bench: Bench, digest: str, known: str) -> ImageInfo:
    reference = f"shop/base@sha256:{digest * 64}"
    image = replace(FakeEngine().add_image("shop/base:1"), digests=(f"shop/base@sha256:{known * 64}",))
    bench.engine.registry = {reference: image}
    return image


def test_a_registry_that_gives_another_digest_is_refused(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    image = pinned(bench, "a", "b")
    reference = "shop/base@sha256:" + "a" * 64
    pulled = bench.engine.pull

    def pull(asked: str) -> Iterator[str]:
        yield from pulled(asked)
        monkeypatch.setattr(bench.engine, "image", lambda name: image if name == reference else None)

    monkeypatch.setattr(bench.engine, "pull", pull)
    with pytest.raises(BaseImageError, match="another image"):
        bench.resolve(reference)


def test_without_a_registry_debian_is_made_from_the_archive_and_said_in_one_line(bench: Bench, home: Path) -> None:
    bench.engine.registry = None
    bench.mmdebstrap(DATE)
    base = bench.resolve("debian:bookworm-slim")
    assert (base.family, base.version, base.epoch, base.prepared) == ("debian", "12", 1795313345, True)
    assert bench.reporter.notes == ["no registry answers, so debian:bookworm-slim is made from the Debian archive"]
    assert [call.env.get("SOURCE_DATE_EPOCH") for call in bench.processes.calls] == [None, "1795313345"]
    assert bench.engine.requests == []
    assert list(home.rglob("*.tar")) == []


def test_the_base_is_made_once(bench: Bench) -> None:
    bench.engine.registry = None
    bench.mmdebstrap(DATE)
    first = bench.resolve("debian:12")
    calls = len(bench.processes.calls)
    assert bench.resolve("debian:bookworm").id == first.id
    assert len(bench.processes.calls) == calls


def test_the_same_archive_gives_the_same_image_elsewhere(bench: Bench) -> None:
    bench.engine.registry = None
    bench.mmdebstrap(DATE)
    first = bench.resolve()
    bench.engine = FakeEngine()
    bench.engine.registry = None
    assert bench.resolve().id == first.id


def test_what_a_killed_run_left_is_cleared_away(bench: Bench, home: Path) -> None:
    bench.engine.registry = None
    bench.mmdebstrap(DATE)
    left = Path(paths.private_directory(paths.bases_root()), "bookworm.1.tar")
    left.write_bytes(b"half")
    bench.resolve()
    assert list(home.rglob("*.tar")) == []


def test_an_archive_that_moved_in_between_is_read_again(bench: Bench) -> None:
    bench.engine.registry = None
    later = DATE.replace("02:09:05", "02:09:06")
    bench.mmdebstrap(DATE, later, later)
    assert bench.resolve().epoch == 1795313346
    assert [call.env.get("SOURCE_DATE_EPOCH") for call in bench.processes.calls] == [None, "1795313345", "1795313346"]


def test_an_image_built_on_our_base_is_not_taken_for_it(bench: Bench) -> None:
    bench.engine.registry = None
    bench.mmdebstrap(DATE)
    made = bench.resolve()
    inherited = bench.engine.image_store[made.id].labels
    bench.engine.add_image("somebody/else:1", labels={**inherited, "devbox.source-date-epoch": "1999999999"})
    assert bench.resolve().id == made.id


def test_other_words_for_no_answer_count_as_well(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def pull(reference: str) -> Iterator[str]:
        raise EngineError("did not pull", detail="dial tcp: lookup registry: no such host")
        yield ""

    monkeypatch.setattr(bench.engine, "pull", pull)
    bench.mmdebstrap(DATE)
    assert bench.resolve().said == "debian:12, from the archive"


def test_a_registry_that_refuses_is_not_overruled(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.mmdebstrap(DATE)
    with pytest.raises(EngineError):
        bench.resolve()
    assert bench.processes.calls == []


def test_what_the_archive_does_not_have_needs_a_registry(bench: Bench) -> None:
    bench.engine.registry = None
    with pytest.raises(RegistryUnreachableError) as caught:
        bench.resolve("python:3.12")
    assert "debian:12" in str(caught.value.hint)


def test_a_cache_that_cannot_be_written_is_a_plain_error(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    bench.engine.registry = None
    bench.mmdebstrap(DATE)
    with pytest.raises(BaseImageError, match="cannot be written: no such file"):
        bench.resolve()


def test_nothing_to_make_it_with_names_the_packages(bench: Bench) -> None:
    bench.engine.registry = None
    with pytest.raises(BaseImageError) as caught:
        bench.resolve()
    assert "apt-get install mmdebstrap debian-archive-keyring" in str(caught.value.hint)


def test_missing_keys_are_named_and_nothing_is_fetched(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devbox.build.debian_maker.KEYRINGS", ("/nowhere/keyring.gpg", "/nowhere/keyring.pgp"))
    bench.engine.registry = None
    bench.mmdebstrap(DATE)
    with pytest.raises(BaseImageError) as caught:
        bench.resolve()
    assert "debian-archive-keyring" in str(caught.value.hint)
    assert bench.processes.calls == []


def test_without_mmdebstrap_it_runs_in_a_container_with_a_steps_rights(bench: Bench) -> None:
    bench.engine.registry = None
    image = bench.engine.add_image("somebody/debian:1")

    def on_command(request: ContainerRequest, stdin: bytes) -> Outcome:
        script = request.command[-1]
        if "mmdebstrap" not in script:
            return Outcome(stdout=OS_RELEASE)
        made = b"" if "/dev/null" in script.split()[-1:] else b"tar"
        return Outcome(stdout=made, stderr=DATE.encode() + b"\n")

    bench.engine.on_command = on_command
    base = bench.resolve()
    assert base.epoch == 1795313345
    runs = [request for request in bench.engine.requests if "mmdebstrap" in request.command[-1]]
    assert len(runs) == 2
    assert all(request.image == image.id and "SYS_ADMIN" not in request.capabilities for request in runs)
    assert bench.engine.container_store == {}


@pytest.mark.parametrize(
    ("words", "bare"),
    [
        ('exec: "/bin/sh": stat /bin/sh: no such file or directory: unknown', True),
        ("executable file `/bin/sh` not found", True),
        ("exec /bin/sh: exec format error", False),
    ],
)
def test_an_image_without_a_shell_is_a_base_and_one_whose_shell_does_not_run_is_none(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, words: str, bare: bool
) -> None:
    bench.engine.add_image("scratch/app:1")

    def start(container_id: str) -> None:
        raise EngineError("did not start", detail=words)

    monkeypatch.setattr(bench.engine, "start", start)
    if bare:
        assert not bench.resolve("scratch/app:1").shell
    else:
        with pytest.raises(BaseImageError, match=r"scratch/app:1 has a shell .* that does not run here"):
            bench.resolve("scratch/app:1")
    assert bench.engine.container_store == {}


def test_an_image_without_tar_is_refused_by_name(bench: Bench) -> None:
    bench.engine.add_image("odd:1")
    bench.inside = b"ID=odd\n\n"
    with pytest.raises(BaseImageError, match="odd:1 has no tar"):
        bench.resolve("odd:1")


def test_a_volume_over_the_project_is_noted(bench: Bench) -> None:
    bench.engine.add_image("odd:1", volumes=("/workspaces",))
    bench.resolve("odd:1")
    assert "/workspaces" in bench.reporter.notes[0]


def test_two_builds_at_once_make_the_base_once(bench: Bench) -> None:
    """The first one's mmdebstrap goes on only when the second one says that it waits."""
    bench.engine.registry = None
    waiting = threading.Event()

    class Waits(RecordedStep):
        def update(self, message: str) -> None:
            if "waiting for another" in message:
                waiting.set()

    class Second(RecordingReporter):
        @contextmanager
        def step(self, title: str) -> Iterator[RecordedStep]:
            yield Waits(title)

    began = threading.Event()

    def run(call: Call) -> Completed:
        began.set()
        assert waiting.wait(30)
        for word in call.argv:
            if word.endswith(".tar"):
                Path(word).write_bytes(b"root")
        return completed(DATE)

    bench.processes.answer("mmdebstrap", with_=run)
    second = Bench(bench.directory)
    second.engine, second.processes, second.reporter = bench.engine, FakeProcesses("mmdebstrap"), Second()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(bench.resolve)
        assert began.wait(30)
        other = pool.submit(second.resolve)
        assert first.result(60).id == other.result(60).id
    assert second.processes.calls == []
