import json
from dataclasses import replace

import pytest

from devbox.errors import MachineError
from devbox.vm.network import passt_argv
from devbox.vm.qemu_args import Drive, Handed, MachineSpec, argv, mac, private_mac, probe_argv

X86 = "/usr/bin/qemu-system-x86_64"
ARM = "/usr/bin/qemu-system-aarch64"
SPEC = MachineSpec(
    name="devbox-shop-0123abcd",
    uuid="11111111-2222-3333-4444-5555556677aa",
    cpus=2,
    memory=1024**3,
    kernel="/cache/vmlinux",
    initrd="/state/initrd",
    command_line="console=ttyS0 panic=-1",
    drives=(
        Drive(path="/state/a, b/root.qcow2", format="qcow2", serial="root"),
        Drive(path="/state/data.raw", format="raw", serial="data", read_only=True),
    ),
    directory="/state",
    accelerator="tcg",
)


def after(words: tuple[str, ...], option: str) -> list[str]:
    """Return what stands behind each `option`."""
    return [words[at + 1] for at, word in enumerate(words) if word == option]


def test_nothing_comes_from_qemus_defaults_or_from_a_file_of_the_users() -> None:
    words = argv(SPEC, X86)
    assert words[0] == X86
    assert {"-nodefaults", "-no-user-config", "-no-reboot"} <= set(words)
    assert after(words, "-display") == ["none"]
    assert after(words, "-sandbox") == ["on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"]
    assert not {"-monitor", "-vnc", "-hda", "-drive", "-net", "-nic", "-s", "-gdb", "-runas"} & set(words)


def test_it_is_known_by_its_name_and_its_uuid() -> None:
    words = argv(SPEC, X86)
    assert after(words, "-name") == [f"{SPEC.name},debug-threads=on"]
    assert after(words, "-uuid") == [SPEC.uuid]


@pytest.mark.parametrize(
    ("program", "accelerator", "board", "cpu"),
    [
        (X86, "tcg", "q35", "max,la57=off,erms=off,fsrm=off,smap=off,pku=off"),
        (X86, "kvm", "q35", "host"),
        (ARM, "tcg", "virt", "max"),
        (ARM, "hvf", "virt", "host"),
    ],
)
def test_the_board_fits_the_architecture_and_the_processor_the_acceleration(
    program: str, accelerator: str, board: str, cpu: str
) -> None:
    words = argv(replace(SPEC, accelerator=accelerator), program)
    (machine,) = after(words, "-machine")
    assert machine.split(",")[0] == board
    assert "dump-guest-core=off" in machine.split(",")
    assert after(words, "-accel")[0].split(",")[0] == accelerator
    assert after(words, "-cpu") == [cpu]
    assert after(words, "-smp") == ["2"]


def test_memory_is_never_less_than_asked_for() -> None:
    assert after(argv(SPEC, X86), "-m") == ["1024M"]
    assert after(argv(replace(SPEC, memory=1024**3 + 1), X86), "-m") == ["1025M"]


def test_the_kernel_is_booted_itself() -> None:
    words = argv(SPEC, X86)
    assert after(words, "-kernel") == ["/cache/vmlinux"]
    assert after(words, "-initrd") == ["/state/initrd"]
    assert after(words, "-append") == ["console=ttyS0 panic=-1"]
    assert "-initrd" not in argv(replace(SPEC, initrd=None), X86)


def test_every_disk_says_its_format_and_the_disks_come_in_order() -> None:
    words = argv(SPEC, X86)
    root, data = (json.loads(node) for node in after(words, "-blockdev"))
    assert (root["driver"], root["read-only"], root["file"]["filename"]) == ("qcow2", False, "/state/a, b/root.qcow2")
    assert (data["driver"], data["read-only"], data["file"]["read-only"]) == ("raw", True, True)
    assert root["file"]["driver"] == data["file"]["driver"] == "file"
    assert root["discard"] == root["file"]["discard"] == "unmap"
    disks = [device for device in after(words, "-device") if device.startswith("virtio-blk-pci")]
    assert disks == ["virtio-blk-pci,drive=disk0,serial=root", "virtio-blk-pci,drive=disk1,serial=data"]


def test_every_layer_of_a_disk_is_named_and_the_last_lies_on_nothing_whatever_its_header_says() -> None:
    drive = Drive(path="/state/root.qcow2", format="qcow2", serial="root", below=("/cache/kept", "/cache/base"))
    raw = Drive(path="/state/seed", format="raw", serial="seed", below=())
    root, seed = (json.loads(node) for node in after(argv(replace(SPEC, drives=(drive, raw)), X86), "-blockdev"))
    kept, base = root["backing"], root["backing"]["backing"]
    assert [(one["driver"], one["read-only"], one["file"]["filename"]) for one in (root, kept, base)] == [
        ("qcow2", False, "/state/root.qcow2"),
        ("qcow2", True, "/cache/kept"),
        ("qcow2", True, "/cache/base"),
    ]
    assert base["backing"] is None
    assert "backing" not in seed
    (alone,) = after(argv(replace(SPEC, drives=(replace(drive, below=()),)), X86), "-blockdev")
    assert json.loads(alone)["backing"] is None


def test_the_agents_port_and_the_control_socket_have_names_that_fit_whatever_the_directory_is_called() -> None:
    words = argv(replace(SPEC, directory="/" + "d" * 200), X86)
    sockets = [node for node in after(words, "-chardev") if node.startswith("socket,")]
    assert sockets == [
        "socket,id=control,path=qmp.sock,server=on,wait=off",
        "socket,id=line,path=line.sock,server=on,wait=off",
    ]
    assert after(words, "-mon") == ["chardev=control,mode=control"]
    assert "virtserialport,bus=ports.0,chardev=line,name=devbox.agent" in after(words, "-device")


def test_what_it_may_not_open_by_itself_it_is_handed() -> None:
    drive = Drive(path="/dev/fdset/9", format="qcow2", serial="root", below=("/dev/fdset/10", "/dev/fdset/11"))
    handed = Handed(control=7, line=8, files=(9, 10, 11), others=(12,))
    words = argv(replace(SPEC, drives=(drive,)), X86, handed=handed)
    sockets = [node for node in after(words, "-chardev") if node.startswith("socket,")]
    assert sockets == ["socket,id=control,fd=7,server=on,wait=off", "socket,id=line,fd=8,server=on,wait=off"]
    assert after(words, "-add-fd") == ["fd=9,set=9", "fd=10,set=10", "fd=11,set=11"]
    (root,) = (json.loads(node) for node in after(words, "-blockdev"))
    assert root["backing"]["driver"] == root["backing"]["backing"]["driver"] == "qcow2"
    assert root["backing"]["read-only"]
    assert root["backing"]["file"]["read-only"]
    assert root["backing"]["backing"]["file"]["filename"] == "/dev/fdset/11"
    assert handed.all == (7, 8, 9, 10, 11, 12)
    wired = replace(handed, private=13)
    words = argv(replace(SPEC, drives=(drive,), private="198.19.1.2/16"), X86, handed=wired)
    assert "stream,id=private,server=on,addr.type=fd,addr.str=13" in after(words, "-netdev")
    assert set(wired.all) == {7, 8, 9, 10, 11, 12, 13}


def test_the_console_comes_out_where_qemus_own_words_do() -> None:
    words = argv(SPEC, X86)
    assert "stdio,id=console,signal=off" in after(words, "-chardev")
    assert after(words, "-serial") == ["chardev:console"]


def test_the_network_is_qemus_own_with_nothing_forwarded_and_no_rom() -> None:
    words = argv(SPEC, X86)
    (network,) = after(words, "-netdev")
    assert network.startswith("user,id=net,net=10.0.2.0/24,")
    assert "fwd" not in network
    (card,) = (device for device in after(words, "-device") if "net" in device)
    assert card.endswith(",romfile=")
    without = argv(replace(SPEC, network=False), X86)
    assert "-netdev" not in without
    assert not [device for device in after(without, "-device") if "net" in device]


def test_a_wire_leads_to_a_network_without_a_way_in_or_to_this_hosts_loopback() -> None:
    assert after(argv(SPEC, X86, wire=7), "-netdev") == ["stream,id=net,server=off,addr.type=fd,addr.str=7"]
    words = passt_argv("/usr/bin/passt", 7)
    assert words[0] == "/usr/bin/passt"
    assert "--no-map-gw" in words
    assert (after(words, "--fd"), after(words, "--address"), after(words, "--netmask")) == (
        ["7"],
        ["10.0.2.15"],
        ["24"],
    )
    assert (after(words, "--tcp-ports"), after(words, "--udp-ports")) == (["none"], ["none"])


def test_no_two_machines_have_the_same_hardware_address() -> None:
    assert mac(SPEC.uuid) == "52:54:00:66:77:aa"
    assert mac(SPEC.uuid) in argv(SPEC, X86)[-1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "a,process=x"}, "its name must be"),
        ({"name": "-x"}, "its name must be"),
        ({"uuid": "11111111-2222-3333-4444-5555556677AA"}, "no UUID in lower case"),
        ({"cpus": 0}, "between 1 and 255 cpus"),
        ({"cpus": 256}, "between 1 and 255 cpus"),
        ({"memory": 64 * 1024**2 - 1}, "at least 64 MiB"),
        ({"accelerator": "kvm,x=y"}, "none of kvm, hvf, tcg"),
        ({"kernel": "vmlinux"}, "'vmlinux' is no absolute path"),
        ({"initrd": "/a\0b"}, "is no absolute path"),
        ({"directory": "here"}, "'here' is no absolute path"),
        ({"command_line": "x" * 2048}, "longer than 2047 bytes"),
        ({"command_line": "a\nb"}, "cannot be printed"),
        ({"drives": (Drive(path="x.raw", format="raw", serial="a"),)}, "is no absolute path"),
        ({"drives": (Drive(path="/x", format="vmdk", serial="a"),)}, "none of qcow2, raw"),
        ({"drives": (Drive(path="/x", format="raw", serial="a,b"),)}, "no serial number"),
        ({"drives": (Drive(path="/x", format="raw", serial="a" * 21),)}, "no serial number"),
        ({"drives": (Drive(path="/x", format="raw", serial="a"),) * 2}, "the same serial number"),
    ],
)
def test_what_qemu_would_take_for_something_else_is_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(MachineError, match="cannot be started") as caught:
        argv(replace(SPEC, **change), X86)  # type: ignore[arg-type]
    assert words in caught.value.message


@pytest.mark.parametrize(("program", "console"), [(X86, "ttyS0"), (ARM, "ttyAMA0")])
def test_a_kernel_that_is_tried_has_the_machines_board_and_processor_and_nothing_to_reach(
    program: str, console: str
) -> None:
    words = probe_argv(program, accelerator="kvm", kernel="/k")
    real = argv(replace(SPEC, accelerator="kvm"), program)
    assert after(words, "-machine") == [one.removesuffix(",memory-backend=ram") for one in after(real, "-machine")]
    for option in ("-accel", "-cpu", "-sandbox"):
        assert after(words, option) == after(real, option)
    assert f"console={console}" in after(words, "-append")[0]
    assert not {"-netdev", "-blockdev", "-mon", "-device"} & set(words)


def test_memory_in_a_file_is_shared_with_it_or_kept_from_it() -> None:
    spec = replace(SPEC, memory_file="/state/a, b/ram")
    words = argv(spec, X86)
    assert after(words, "-machine")[0].endswith(",memory-backend=ram")
    memory = next(json.loads(words) for words in after(words, "-object") if words.startswith("{"))
    assert (memory["mem-path"], memory["size"], memory["share"]) == ("/state/a, b/ram", SPEC.memory, True)
    kept = argv(replace(spec, memory_kept=True), X86)
    assert '"share": false' in next(words for words in after(kept, "-object") if words.startswith("{"))
    own = next(json.loads(words) for words in after(argv(SPEC, X86), "-object") if words.startswith("{"))
    assert own == {"qom-type": "memory-backend-ram", "id": memory["id"], "size": SPEC.memory}


def test_what_is_translated_for_good_is_bounded_and_what_only_boots_may_take_more() -> None:
    kept = replace(SPEC, memory_file="/ram")
    sizes = [after(argv(one, X86), "-accel") for one in (SPEC, replace(kept, memory_kept=True), kept)]
    assert sizes == [["tcg,tb-size=64"], ["tcg,tb-size=64"], ["tcg,tb-size=256"]]


def test_one_that_is_to_be_resumed_waits_for_its_state() -> None:
    assert after(argv(replace(SPEC, incoming=True), X86), "-incoming") == ["defer"]
    assert "-incoming" not in argv(SPEC, X86)


FLASH = (
    Drive(path="/usr/share/code.fd", format="raw", serial="code", read_only=True, flash=True),
    Drive(path="/state/kept.fd", format="raw", serial="kept", flash=True),
)


def test_without_a_kernel_the_firmware_boots_the_first_disk_and_no_other_and_boots_it_again() -> None:
    words = argv(replace(SPEC, kernel=None, initrd=None, command_line=""), X86)
    assert not {"-kernel", "-initrd", "-append", "-no-reboot"} & set(words)
    disks = [device for device in after(words, "-device") if device.startswith("virtio-blk")]
    assert [device.partition(",bootindex=")[2] for device in disks] == ["0", ""]


def test_firmware_is_no_disk_for_what_runs_inside_and_is_not_guessed_either() -> None:
    words = argv(replace(SPEC, kernel=None, initrd=None, command_line="", drives=(*FLASH, *SPEC.drives)), X86)
    (machine,) = after(words, "-machine")
    assert machine.endswith(",pflash0=disk0,pflash1=disk1")
    blocks = [json.loads(block) for block in after(words, "-blockdev")]
    assert [(block["driver"], block["read-only"]) for block in blocks[:2]] == [("raw", True), ("raw", False)]
    disks = [device for device in after(words, "-device") if device.startswith("virtio-blk")]
    assert len(disks) == len(SPEC.drives)
    assert disks[0] == "virtio-blk-pci,drive=disk2,serial=root,bootindex=0"


def test_a_wire_to_other_machines_is_a_second_one_which_whoever_comes_may_hold() -> None:
    words = argv(replace(SPEC, private="198.19.1.2/16"), X86)
    _, wire = after(words, "-netdev")
    assert wire == "stream,id=private,server=on,addr.type=unix,addr.path=wire.sock"
    assert after(words, "-device")[-1] == "virtio-net-pci,netdev=private,mac=52:54:c6:13:01:02,romfile="
    assert argv(SPEC, X86) == words[: len(argv(SPEC, X86))]


def test_the_wire_of_a_qemu_that_may_make_no_socket_is_handed_to_it() -> None:
    handed = Handed(control=7, line=8, private=9)
    words = argv(replace(SPEC, drives=(), private="198.19.1.2/16"), X86, handed=handed)
    assert after(words, "-netdev")[-1] == "stream,id=private,server=on,addr.type=fd,addr.str=9"
    assert handed.all == (7, 8, 9)


def test_an_address_has_its_hardware_address_whichever_machine_has_it() -> None:
    assert private_mac("198.19.255.254/16") == "52:54:c6:13:ff:fe"
    with pytest.raises(MachineError, match="is no address on a wire"):
        argv(replace(SPEC, private="198.19.1.2/16,id=x"), X86)


def test_nothing_leads_in_but_one_port_to_the_sshd_if_it_is_asked_for() -> None:
    assert passt_argv("/usr/bin/passt", 7)[-4:] == ("--tcp-ports", "none", "--udp-ports", "none")
    assert passt_argv("/usr/bin/passt", 7, sshd=2222)[-4:-2] == ("--tcp-ports", "127.0.0.1/2222:22")
    assert "hostfwd" not in " ".join(argv(SPEC, X86))
    (network,) = after(argv(replace(SPEC, sshd=2222), X86), "-netdev")
    assert network.endswith(",hostfwd=tcp:127.0.0.1:2222-:22")


def test_a_system_is_told_whose_key_may_be_root_and_nothing_that_would_be_an_option() -> None:
    assert "-smbios" not in argv(SPEC, X86)
    (told,) = after(argv(replace(SPEC, root_key="YQ=="), X86), "-smbios")
    assert told == "type=11,value=io.systemd.credential.binary:ssh.authorized_keys.root=YQ=="
    for spec in (replace(SPEC, root_key="a,b"), replace(SPEC, sshd=65536), replace(SPEC, sshd=-1)):
        with pytest.raises(MachineError, match="no key, or no port"):
            argv(spec, X86)
