"""What on a machine's disk is neither as in the container nor the machine's own."""

from dataclasses import replace

from devbox.parity.manifest import Entry, Manifest
from devbox.workspace.same_bits import judged


def file(path: str, content: str) -> Entry:
    return Entry(path=path, kind="file", mode="0644", owner="0:0", size=1, content=f"sha256:{content * 64}")


TOOL, STATUS, KERNEL = file("/usr/bin/tool", "1"), file("/var/lib/dpkg/status", "2"), file("/boot/vmlinuz", "3")
OTHER_STATUS = file("/var/lib/dpkg/status", "4")
FOUND = Entry(path="/lost+found", kind="dir", mode="0700", owner="0:0")


def manifest(*entries: Entry) -> Manifest:
    return Manifest(entries=entries)


CONTAINER = manifest(STATUS, TOOL)
IMAGE = manifest(KERNEL, OTHER_STATUS, TOOL)


def test_what_makes_it_a_machine_is_no_difference() -> None:
    assert judged(manifest(FOUND, KERNEL, OTHER_STATUS, TOOL), IMAGE, CONTAINER) == ()


def test_a_tool_of_the_container_that_is_another_on_the_disk_is_one() -> None:
    disk = manifest(KERNEL, OTHER_STATUS, replace(TOOL, mode="0755"))
    assert [(one.path, one.field) for one in judged(disk, IMAGE, CONTAINER)] == [("/usr/bin/tool", "mode")]


def test_what_is_missing_on_the_disk_or_there_alone_is_one() -> None:
    disk = manifest(KERNEL, file("/etc/extra", "5"), OTHER_STATUS)
    found = judged(disk, IMAGE, CONTAINER)
    assert [(one.path, one.ours, one.theirs) for one in found] == [
        ("/etc/extra", "file", "absent"),
        ("/usr/bin/tool", "absent", "file"),
    ]


def test_the_machines_own_has_to_be_as_its_image_has_it() -> None:
    disk = manifest(file("/boot/vmlinuz", "6"), STATUS, TOOL)
    assert [one.path for one in judged(disk, IMAGE, CONTAINER)] == ["/boot/vmlinuz", "/var/lib/dpkg/status"]
