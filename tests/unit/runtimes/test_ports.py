import socket

import pytest

from devbox.errors import PortTakenError
from devbox.runtimes.base import PortSpec
from devbox.runtimes.container.ports import SPAN, choose, probe_host


def _probe(*taken: int) -> object:
    return lambda address, port, protocol: None if port in taken else port or 50000


def _hosts(*ports: PortSpec, taken: tuple[int, ...] = ()) -> list[int]:
    return [binding.host for binding in choose(ports, _probe(*taken))]  # type: ignore[arg-type]


def _port(host: int, *, name: str = "web", protocol: str = "tcp") -> PortSpec:
    return PortSpec(name=name, guest=80, host=host, protocol=protocol)


def test_the_wanted_port_if_it_is_free() -> None:
    assert _hosts(_port(8000)) == [8000]


def test_the_next_free_one_if_it_is_taken() -> None:
    assert _hosts(_port(8000), taken=(8000, 8001)) == [8002]


def test_two_ports_of_one_environment_never_meet() -> None:
    assert _hosts(_port(8000), _port(8001, name="api"), taken=(8000,)) == [8001, 8002]


def test_the_same_number_for_another_protocol_is_another_port() -> None:
    assert _hosts(_port(53), _port(53, name="dns", protocol="udp")) == [53, 53]


def test_zero_is_any() -> None:
    assert _hosts(_port(0)) == [50000]


def test_when_all_are_taken_the_key_to_change_is_named() -> None:
    with pytest.raises(PortTakenError) as caught:
        _hosts(_port(8000), taken=tuple(range(8000, 8000 + SPAN)))
    assert "8000" in caught.value.message
    assert "ports.web" in str(caught.value.hint)


def test_the_range_ends_with_the_last_port() -> None:
    with pytest.raises(PortTakenError):
        _hosts(_port(65535), taken=(65535,))


def test_the_probe_sees_a_listener_and_finds_any_free_port() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        taken = listener.getsockname()[1]
        assert probe_host("127.0.0.1", taken, "tcp") is None
        assert probe_host("127.0.0.1", taken, "udp") == taken
    assert probe_host("127.0.0.1", 0, "tcp")


def test_what_cannot_be_tried_is_left_to_the_engine() -> None:
    assert probe_host("203.0.113.1", 8000, "tcp") == 8000
