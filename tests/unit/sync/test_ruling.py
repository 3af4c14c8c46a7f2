"""What is ignored stays so, whatever happens to the ignore files for a moment."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devbox.sync import ruling
from devbox.sync.core.entry import Side
from devbox.sync.core.ignore import LONGEST
from devbox.sync.endpoint import Answer, Code, Put, Read, Request
from devbox.sync.host import HostEndpoint
from tests.support.sync_bed import put, tree
from tests.support.sync_desk import Desk, desk_at

NEVER = float("inf")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """Both have what is not ignored: of the host's `pkg/.env` and `.env`, nothing. No doubt ends by itself."""
    monkeypatch.setattr(ruling, "PATIENCE", NEVER)
    with desk_at(tmp_path) as desk:
        put(desk.host, {".gitignore": ".env\n", ".env": "secret", "a": "one", "pkg/.gitignore": "/key\n"})
        put(desk.host, {"pkg/key": "secret", "pkg/b": "two"})
        desk.scan()
        assert secrets(desk) == set()
        assert (desk.guest / "pkg/b").exists()
        yield desk


def secrets(desk: Desk) -> set[str]:
    """What of the guest's content is none of its business."""
    return {path for path, content in tree(desk.guest).items() if content == b"secret"}


def truncate(path: Path) -> None:
    os.truncate(path, 0)


def rename_away(path: Path) -> None:
    path.rename(path.with_name("aside"))


@pytest.mark.parametrize("happens", [truncate, rename_away, Path.unlink])
def test_rules_hold_until_they_were_gone_for_a_while(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, happens: Callable[[Path], None]
) -> None:
    happens(desk.host / ".gitignore")
    put(desk.host, {"sub/.env": "secret", "a": "others go on"})
    desk.turn()
    desk.scan()
    assert secrets(desk) == set()
    assert (desk.guest / "a").read_text() == "others go on"
    assert desk.scene.troubles.soon
    monkeypatch.setattr(ruling, "PATIENCE", 0)
    desk.look(b".gitignore")
    assert secrets(desk) == {".env", "sub/.env"}
    assert not desk.scene.troubles.soon


@pytest.mark.parametrize("happens", [truncate, rename_away])
def test_rules_that_are_there_again_were_never_away(desk: Desk, happens: Callable[[Path], None]) -> None:
    happens(desk.host / ".gitignore")
    desk.turn()
    put(desk.host, {".gitignore": ".env\nnew\n", "new": "secret", "sub/.env": "secret"})
    desk.turn()
    assert secrets(desk) == set()
    assert not desk.scene.troubles.soon


FAILURES = [Answer(Code.FAILED, 5), Answer(Code.FAILED, 24), Answer(Code.CHANGED, stamp=None), Answer(Code.REFUSED)]


def unreadable(monkeypatch: pytest.MonkeyPatch, answer: Answer) -> None:
    """Let every Read of an ignore file come to this."""
    ask = HostEndpoint.ask

    def failing(end: HostEndpoint, request: Request, done: Callable[[Answer], None]) -> None:
        if isinstance(request, Read) and request.path.endswith(b".gitignore"):
            done(answer)
        else:
            ask(end, request, done)

    monkeypatch.setattr(HostEndpoint, "ask", failing)


@pytest.mark.parametrize("answer", FAILURES)
def test_rules_that_cannot_be_read_hold_as_they_were(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, answer: Answer
) -> None:
    with monkeypatch.context() as patch:
        unreadable(patch, answer)
        put(desk.host, {".gitignore": "other\n", "sub/.env": "secret"})
        desk.turn()
        desk.scan()
        assert secrets(desk) == set()
    put(desk.host, {"other": "one"})
    desk.look(b".gitignore")
    assert secrets(desk) == {".env", "sub/.env"}
    assert not (desk.guest / "other").exists()


@pytest.mark.parametrize("answer", FAILURES)
def test_where_nobody_knows_the_rules_nothing_is_sent_nor_taken_away(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, answer: Answer
) -> None:
    before = tree(desk.guest)
    with monkeypatch.context() as patch:
        unreadable(patch, answer)
        desk.meet()
        put(desk.host, {"a": "edited", "pkg/b": "edited", "sub/.env": "secret"})
        put(desk.guest, {"own": "of the guest"})
        desk.scan()
        desk.turn()
        assert tree(desk.guest) == before | {"own": b"of the guest"}
        assert not (desk.host / "own").exists()
    desk.look(b".gitignore")
    desk.look(b"pkg/.gitignore")
    assert secrets(desk) == set()
    assert (desk.host / "own").exists()
    assert (desk.guest / "a").read_text() == (desk.guest / "pkg/b").read_text() == "edited"


@pytest.mark.parametrize("happens", [truncate, rename_away, Path.unlink])
def test_a_new_session_does_not_take_a_moment_for_the_truth(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, happens: Callable[[Path], None]
) -> None:
    happens(desk.host / ".gitignore")
    desk.meet()
    desk.scan()
    assert secrets(desk) == set()
    monkeypatch.setattr(ruling, "PATIENCE", 0)
    desk.look(b".gitignore")
    assert secrets(desk) == {".env"}


def test_a_file_without_rules_that_goes_is_no_doubt(desk: Desk) -> None:
    put(desk.host, {"sub/.gitignore": "# nothing\n", "sub/c": "x"})
    desk.turn()
    (desk.host / "sub/.gitignore").unlink()
    desk.turn()
    assert not desk.scene.troubles.soon


@pytest.mark.parametrize("kind", ["link", "directory"])
def test_what_is_no_file_has_no_rules(tmp_path: Path, kind: str) -> None:
    with desk_at(tmp_path) as desk:
        put(desk.host, {"rules": "a\n", "a": "x"})
        if kind == "link":
            (desk.host / ".gitignore").symlink_to("rules")
        else:
            (desk.host / ".gitignore").mkdir()
        desk.scan()
        assert (desk.guest / "a").exists()
        assert not desk.scene.troubles.soon


def test_another_directory_of_the_same_name_has_its_own_rules(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    (desk.host / "pkg").rename(desk.host / "pkg2")
    put(desk.host, {"pkg/key": "of the new one"})
    desk.turn()
    desk.turn()
    assert not (desk.guest / "pkg2/key").exists()
    monkeypatch.setattr(ruling, "PATIENCE", 0)
    desk.look(b"pkg/.gitignore")
    assert (desk.guest / "pkg/key").read_text() == "of the new one"


def test_a_long_file_is_read_to_its_end(tmp_path: Path) -> None:
    with desk_at(tmp_path) as desk:
        line = "x" * 100 + "\n"
        put(desk.host, {".gitignore": line * 2000 + "last\n", "last": "secret"})
        put(desk.host, {"sub/.gitignore": "long\n" + "y" * (LONGEST - 7) + "\n" + "cut", "sub/cut": "", "sub/long": ""})
        desk.scan()
        assert tree(desk.guest).keys() == {".gitignore", "sub", "sub/.gitignore", "sub/cut"}


def test_what_was_put_there_while_rules_were_read_stays(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    ask, host = HostEndpoint.ask, desk.ends[Side.HOST]
    waiting: list[tuple[Request, Callable[[Answer], None]]] = []

    def late(end: HostEndpoint, request: Request, done: Callable[[Answer], None]) -> None:
        """Read rules when something was put there, and not before."""
        if end is host and isinstance(request, Read) and request.path == b"pkg/.gitignore" and not waiting:
            waiting.append((request, done))
            return
        ask(end, request, done)
        if end is host and isinstance(request, Put):
            ask(end, *waiting[0])

    put(desk.guest, {"pkg/new": "of the guest"})
    desk.hear()
    put(desk.host, {"pkg/.gitignore": "/key\n/other\n"})
    monkeypatch.setattr(HostEndpoint, "ask", late)
    desk.pump.start(desk.cycle.survey.scan({Side.HOST: [desk.rows.root]}))
    desk.run(desk.cycle.work())
    assert waiting
    desk.run(desk.cycle.work())
    assert (desk.host / "pkg/new").read_text() == (desk.guest / "pkg/new").read_text() == "of the guest"


def test_rules_that_nobody_told_of_hold_for_the_guest_as_well(desk: Desk) -> None:
    put(desk.host, {"pkg/.gitignore": "/key\n/own\n"})
    put(desk.guest, {"pkg/own": "one"})
    desk.turn()
    assert not (desk.host / "pkg/own").exists()
    put(desk.host, {"pkg/.gitignore": "/key\n"})
    desk.run(desk.cycle.survey.scan({Side.HOST: [desk.rows.root]}))
    desk.run(desk.cycle.work())
    assert (desk.host / "pkg/own").read_text() == "one"
