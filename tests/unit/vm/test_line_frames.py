import pytest

from devbox.vm.line_frames import CLOSE, CREDIT, DATA, DATA_MOST, END, HEAD, OPEN, RESET, Violation, frame, head, reset


def test_a_frame_is_its_head_and_its_payload() -> None:
    assert frame(0x01020304, DATA, b"hey") == b"\x04\x03\x02\x01\x02\x00\x03\x00hey"
    assert head(memoryview(frame(7, CREDIT, bytes(4)))) == (7, CREDIT, 4)


def test_a_reset_carries_what_it_is_known_by() -> None:
    assert reset(b"n" * 16) == frame(0, RESET, b"DEVBOXLN" + b"n" * 16)


@pytest.mark.parametrize(
    "data",
    [
        HEAD.pack(1, CLOSE + 1, 0, 0),
        HEAD.pack(1, DATA, 1, 0),
        HEAD.pack(1, DATA, 0, DATA_MOST + 1),
        HEAD.pack(1, OPEN, 0, 1),
        HEAD.pack(1, CREDIT, 0, 3),
        HEAD.pack(1, END, 0, 1),
        HEAD.pack(1, CLOSE, 0, 1),
        HEAD.pack(0, RESET, 0, 23),
    ],
)
def test_what_no_frame_begins_with_is_refused(data: bytes) -> None:
    with pytest.raises(Violation):
        head(memoryview(data))
