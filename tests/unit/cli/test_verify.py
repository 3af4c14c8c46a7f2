"""What `devbox verify` says of a machine's own paths."""

from devbox.cli.verbs.verify import _own
from devbox.workspace.same_bits import MachineOwn


def test_each_place_with_paths_of_the_machine_is_listed_once() -> None:
    added = ("/lib/modules", "/lib/modules/6", "/lib/modules/6/a.ko", "/usr/bin/busctl", "/usr/bin/kmod", "/vmlinuz")
    own = MachineOwn(added=added, changed=("/etc/passwd",), removed=("/gone",))
    assert list(_own(own)) == [
        "the machine's own: 6 paths more than the container, 1 changed in it",
        "  /etc/passwd",
        "  /gone: not in the machine",
        "  /: 1 more",
        "  /lib/modules: 3 more",
        "  /usr/bin: 2 more",
    ]


def test_of_much_that_is_changed_not_all_is_shown_and_that_is_said() -> None:
    own = MachineOwn(added=(), changed=tuple(f"/etc/{number}" for number in range(60)), removed=())
    assert len(list(_own(own))) == 52
    assert list(_own(own))[-1] == "  and more; --json has all of them"
