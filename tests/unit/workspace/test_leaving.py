"""An Instance that goes while another comes: the order of what must not cross, and what goes wrong in its thread."""

import threading

import pytest

from devbox.errors import EngineError
from devbox.workspace.leaving import leaving


class Going:
    """As much of an Instance as leaves. `block`: its end is waited for; `fail`: what cannot be done."""

    def __init__(self, name: str = "shop", *, block: threading.Event | None = None, fail: str = "") -> None:
        self.name = name
        self.did: list[str] = []
        self._block = block
        self._fail = fail

    def release_name(self) -> None:
        self._do("name")

    def watch(self) -> int | None:
        return None

    def kill(self) -> None:
        if self._block:
            assert self._block.wait(10)
        self._do("kill")

    def remove(self) -> None:
        self._do("remove")

    def _do(self, what: str) -> None:
        if self._fail == what:
            raise EngineError(f"cannot {what}")
        self.did.append(what)


def test_the_name_is_free_at_once_and_the_end_is_waited_for() -> None:
    block = threading.Event()
    one = Going(block=block)
    with leaving([one], name="shop") as ended:  # type: ignore[list-item]
        assert one.did == ["name"]
        block.set()
        ended()
        assert one.did[:2] == ["name", "kill"]
    assert one.did == ["name", "kill", "remove"]


def test_one_that_keeps_its_name_is_gone_before_another_is_made() -> None:
    one, two = Going(fail="name"), Going("else")
    with leaving([one, two], name="shop") as ended:  # type: ignore[list-item]
        assert one.did == ["remove"]
        ended()
    assert (one.did, two.did) == (["remove"], ["kill", "remove"])


def test_one_of_another_name_keeps_it() -> None:
    one = Going("else")
    with leaving([one], name="shop"):  # type: ignore[list-item]
        pass
    assert one.did == ["kill", "remove"]


def test_nothing_starts_beside_one_that_cannot_be_ended() -> None:
    started: list[str] = []
    with pytest.raises(EngineError, match="cannot kill"):
        _replace(Going(fail="kill"), started)
    assert started == []


def _replace(one: Going, started: list[str]) -> None:
    with leaving([one], name="shop") as ended:  # type: ignore[list-item]
        ended()
        started.append("the other")


def test_one_that_cannot_be_removed_is_said() -> None:
    with pytest.raises(EngineError, match="cannot remove"), leaving([Going(fail="remove")], name="shop") as ended:  # type: ignore[list-item]
        ended()


def test_what_goes_wrong_meanwhile_is_what_is_heard_of_and_nothing_is_left() -> None:
    one = Going()
    with pytest.raises(ValueError, match="meanwhile"), leaving([one], name="shop"):  # type: ignore[list-item]
        raise ValueError("meanwhile")
    assert one.did == ["name", "kill", "remove"]
