"""What is enough before a command: what was changed on the host is inside, and nothing of the guest is asked for."""

import pytest

from devbox.sync import live
from devbox.sync.core.entry import Side
from devbox.sync.endpoint import Barrier
from devbox.sync.pump import Ask
from tests.support.sync_bed import Bed, flushed, put, tree


def test_what_was_changed_here_is_inside_with_no_word_of_what_was_changed_there(
    bed: Bed, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(bed.host, {"a": "one"})
    bed.once()
    asked: list[Side] = []

    def barrier(side: Side, request: object) -> Ask:
        if isinstance(request, Barrier):
            asked.append(side)
        return Ask(side, request)  # type: ignore[arg-type]

    with bed.running() as session:
        flushed(session)
        monkeypatch.setattr(live, "Ask", barrier)
        for number in range(20):
            put(bed.host, {"a": f"edit {number}"})
            assert session.flush(timeout=30, inward=True).settled
            assert tree(bed.guest)["a"] == f"edit {number}".encode()
        assert set(asked) == {Side.HOST}
        put(bed.guest, {"b": "inside"})
        flushed(session)
        assert tree(bed.host)["b"] == b"inside"
        assert set(asked) == set(Side)
