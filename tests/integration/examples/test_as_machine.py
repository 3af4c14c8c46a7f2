"""Each example as a machine: its tests pass, files go both ways, its server answers here, and again after a halt."""

import pytest

from tests.integration.examples.test_examples import TESTS, require_an_answer
from tests.integration.machine.conftest import machines, processes_of
from tests.support.account import invoker
from tests.support.command import Devbox
from tests.support.project import project
from tests.support.supervisors import gone
from tests.support.tree import ROOT

pytestmark = [pytest.mark.docker, pytest.mark.vm]
VM = ("shell", "--runtime", "vm", "--")
PATIENCE = 300.0  # seconds until a server listens: npm alone takes a minute of a busy host's in an emulated machine


def _both_ways(devbox: Devbox) -> None:
    (devbox.directory / "here.txt").write_text("from here", encoding="utf-8")
    script = "cat here.txt; mkdir -p made; echo inside > 'made/by hand'"
    assert devbox("exec", "--", "sh", "-c", script).stdout == "from here"
    assert (devbox.directory / "made" / "by hand").read_text(encoding="utf-8") == "inside\n"


@pytest.mark.parametrize("example", ["python-flask", pytest.param("node-express", marks=pytest.mark.nightly)])
def test_an_example_as_a_machine(example: str) -> None:
    command, closing = TESTS[example]
    with project(invoker(), source=ROOT / "examples" / example) as devbox:
        assert closing in devbox(*VM, *command).stdout
        assert len(processes_of(devbox, "qemu")) == 1
        (devbox.directory / "devbox.local.toml").write_text('runtime = "vm"\n', encoding="utf-8")
        assert devbox.json("status")["state"] == "running"
        _both_ways(devbox)
        require_an_answer(devbox, example, PATIENCE)
        devbox("halt")
        assert not processes_of(devbox)
        assert closing in devbox(*VM, *command).stdout
        devbox("destroy", "-f")
        assert not processes_of(devbox)
        assert not list(machines(devbox))
        assert gone(devbox.hash)
