"""What the console of a new machine said that did not come up: shown, until there is another one."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from devbox.workspace.logs import forget_console, keep_console, logs
from tests.support.desk import Desk


def test_it_is_shown_of_a_machine_that_has_gone_until_it_is_forgotten(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "shop").write()

    def shown(**how: Any) -> list[tuple[int, bytes]]:
        return list(logs(desk.host, desk.workspace, **how))

    machine: Any = SimpleNamespace(logs=lambda: [(1, b"one\n"), (1, b"Kernel panic\n")])
    keep_console(desk.workspace, machine)
    assert b"".join(data for _, data in shown(console=True)) == b"one\nKernel panic\n"
    assert shown(console=True, tail=1) == [(1, b"Kernel panic\n")]
    assert shown() == []
    forget_console(desk.workspace)
    assert shown(console=True) == []
