import signal

import pytest

from devbox.interrupts import SignalledError, signals_raise, uninterrupted

CAUGHT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.mark.parametrize("number", CAUGHT)
def test_a_signal_is_an_exception_with_the_shells_status(number: signal.Signals) -> None:
    with signals_raise(), pytest.raises(SignalledError, match=number.name) as caught:
        signal.raise_signal(number)
    assert caught.value.status == 128 + number


def test_the_handlers_of_before_come_back() -> None:
    before = [signal.getsignal(number) for number in CAUGHT]
    with signals_raise():
        assert [signal.getsignal(number) for number in CAUGHT] != before
    assert [signal.getsignal(number) for number in CAUGHT] == before


def test_a_signal_waits_until_there_is_something_to_clean_up() -> None:
    made = None
    with signals_raise(), pytest.raises(SignalledError, match="SIGTERM"):  # noqa: PT012 (the order is the point)
        with uninterrupted():
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGINT)
            with uninterrupted():
                made = "a container"
        pytest.fail("nothing runs after it")
    assert made == "a container"


def test_a_failure_inside_is_what_is_heard_of() -> None:
    with signals_raise(), pytest.raises(ValueError, match="mine"), uninterrupted():  # noqa: PT012
        signal.raise_signal(signal.SIGTERM)
        raise ValueError("mine")
    with signals_raise(), uninterrupted():
        pass  # what came in the life before is over
