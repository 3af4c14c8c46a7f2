"""What QEMU is started with, as a pure function of values: small groups of options, each tested as a value.

Nothing is left to QEMU's defaults or to a file of the user's: no device, no format and no monitor that is not named
here. Sockets have relative names, since QEMU is started inside the machine's directory, whose path may be longer than
that of a socket can be.
"""

import json
import re
from dataclasses import dataclass
from typing import Final

from devbox import paths
from devbox.errors import MachineError
from devbox.vm.host_memory import LEAST
from devbox.vm.share_args import device

PORT_NAME: Final = "devbox.agent"  # by which the agent inside finds its port
ACCELERATORS: Final = ("kvm", "hvf", "tcg")
FORMATS: Final = ("qcow2", "raw")
ADDRESS: Final = "10.0.2.15/24"  # of the machine, and beside it its gateway and its name server
GATEWAY: Final = "10.0.2.2"
NAME_SERVER: Final = "10.0.2.3"
NOBODYS: Final = "198.19.0.1/16"  # on the wire to other machines, of one that is none of them yet

_MIB: Final = 1024**2
_SSH: Final = 22
# MiB. It would fill hundreds: with 64 a machine that rests takes 340 in all, with 128 440, and boots a tenth quicker.
_TRANSLATED: Final = 64
_TRANSLATED_ONCE: Final = 256
# Five levels of page tables are walked one by one, what ERMS and FSRM promise goes byte by byte (decision 44), and for
# SMAP and PKU all that was found of pages is forgotten again and again (decision 47).
_EMULATED: Final = "max,la57=off,erms=off,fsrm=off,smap=off,pku=off"
_MOST_CPUS: Final = 255
_LONGEST_COMMAND_LINE: Final = 2047  # of the kernel, on x86
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ADDRESS: Final = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){3}/[0-9]{1,2}")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]*=*")
_SERIAL: Final = re.compile(r"[A-Za-z0-9_-]{1,20}")  # virtio's are no longer


@dataclass(frozen=True, slots=True, kw_only=True)
class Drive:
    """A disk of a machine. `serial` is how it is found inside, below /dev/disk/by-id."""

    path: str
    format: str  # one of FORMATS; QEMU is never left to guess it from what somebody wrote
    read_only: bool = False
    serial: str
    below: tuple[str, ...] | None = None  # qcow2 files that it lies on, the next one first; None: nobody has looked
    flash: bool = False  # holds firmware or what that keeps, and is no disk for what runs inside


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineSpec:
    """All that a machine is started from. Paths are absolute; `memory` is in bytes, `directory` the machine's own.

    Without a `kernel` its firmware boots the first drive that is a disk, and again when what runs inside asks for it.
    """

    name: str
    uuid: str
    cpus: int
    memory: int
    kernel: str | None
    initrd: str | None = None
    command_line: str
    drives: tuple[Drive, ...] = ()
    directory: str
    accelerator: str  # one of ACCELERATORS
    network: bool = True
    private: str = ""  # its address on a wire to other machines, which ends in a socket of its directory
    sshd: int = 0  # a port of this host's loopback that leads to the sshd inside; 0: none does
    root_key: str = ""  # a public key, base64 of its line, by which a systemd inside lets root in by ssh
    memory_file: str | None = None  # holds the memory, so that others can start from it
    memory_kept: bool = False  # they do: what this one changes goes to nobody
    incoming: bool = False  # waits for a state instead of booting
    share: str = ""  # a directory of this host that it sees itself; such a machine cannot be saved


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """Descriptors that QEMU has from the start: its sockets, files that it knows as /dev/fdset/<number>, others."""

    control: int
    line: int
    private: int | None = None
    files: tuple[int, ...] = ()
    others: tuple[int, ...] = ()

    @property
    def all(self) -> tuple[int, ...]:
        """What it is to inherit."""
        wire = () if self.private is None else (self.private,)
        return (self.control, self.line, *wire, *self.files, *self.others)


def argv(
    spec: MachineSpec,
    program: str,
    *,
    wire: int | None = None,
    handed: Handed | None = None,
    share: int | None = None,
) -> tuple[str, ...]:
    """Return the command that starts `spec` by `program` (qemu-system-x86_64 or -aarch64), inside its directory.

    `wire`: the descriptor at whose other end its network is; without one it is QEMU's own. `handed`: what it has
    instead of the right to open it. `share`: the descriptor at whose other end its shared directory is, if it has one.
    `MachineError` if `spec` is none that QEMU could start, or if part of it would be taken for something else.
    """
    refuse(spec)
    return (
        program,
        *_identity(spec),
        *_confinement(),
        *(("-no-reboot",) if spec.kernel else ()),
        *_board(spec, program),
        *_kernel(spec),
        *_console(),
        *_files(handed.files if handed else ()),
        *_control(handed.control if handed else None),
        *_line(handed.line if handed else None),
        *_random(),
        *_credentials(spec),
        *_disks(spec.drives, first=spec.kernel is None),
        *(_network(spec, wire) if spec.network else ()),
        *(_private(spec, handed) if spec.private else ()),
        *(() if share is None else device(share)),
    )


def probe_argv(program: str, *, accelerator: str, kernel: str) -> tuple[str, ...]:
    """Return the command that shows whether `kernel` starts at all; it needs no disk and has no way back in."""
    early = "earlycon" if _is_arm(program) else f"earlyprintk={console_name(program)}"
    return (
        program,
        *_confinement(),
        "-no-reboot",
        *("-machine", _machine_type(program)),
        *_speed(program, accelerator, _TRANSLATED),
        *("-smp", "1"),
        *("-m", "256M"),
        *("-kernel", kernel),
        *("-append", f"{early} console={console_name(program)} panic=-1"),
        *_console(),
    )


def console_name(architecture: str) -> str:
    """Return how Linux calls the board's serial port, whose other end `Console` keeps. As QEMU calls architectures."""
    return "ttyAMA0" if _is_arm(architecture) else "ttyS0"


def mac(uuid: str) -> str:
    """Return the hardware address of the machine with this UUID, so that no two have the same."""
    tail = uuid.replace("-", "")[-6:]
    return ":".join(("52", "54", "00", tail[0:2], tail[2:4], tail[4:6]))


def private_mac(address: str) -> str:
    """Return the hardware address that goes with an address on the wire to other machines, as "198.19.1.2/16".

    So one that is made anew is at once found again by those which knew the one before.
    """
    octets = address.partition("/")[0].split(".")
    return ":".join(("52", "54", *(f"{int(octet):02x}" for octet in octets)))


def _identity(spec: MachineSpec) -> tuple[str, ...]:
    return ("-name", f"{spec.name},debug-threads=on", "-uuid", spec.uuid)


def _confinement() -> tuple[str, ...]:
    sandbox = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"
    return ("-nodefaults", "-no-user-config", "-sandbox", sandbox, "-display", "none")


def _board(spec: MachineSpec, program: str) -> tuple[str, ...]:
    return (
        *("-machine", f"{_machine_type(program)},memory-backend=ram{_flash(spec)}"),
        *_speed(program, spec.accelerator, _TRANSLATED_ONCE if _is_kept(spec) else _TRANSLATED),
        *("-smp", str(spec.cpus)),
        *("-m", f"{_mebibytes(spec)}M"),
        *_memory(spec),
        *(("-incoming", "defer") if spec.incoming else ()),
    )


def memory_size(spec: MachineSpec) -> int:
    """Return how many bytes of memory the machine has."""
    return _mebibytes(spec) * _MIB


def _mebibytes(spec: MachineSpec) -> int:
    return -(-spec.memory // _MIB)


def _memory(spec: MachineSpec) -> tuple[str, ...]:
    """Name it, wherever it lies: what was saved with it in one place can then go on with it in the other."""
    options: dict[str, object] = {"qom-type": "memory-backend-ram", "id": "ram", "size": memory_size(spec)}
    if spec.memory_file is not None:
        options |= {
            "qom-type": "memory-backend-file",
            "mem-path": spec.memory_file,
            "share": not spec.memory_kept,
        }
    elif spec.share:  # whoever answers for the files reads and writes it as well
        options |= {"qom-type": "memory-backend-memfd", "share": True}
    return ("-object", json.dumps(options))


def _is_arm(program: str) -> bool:
    return program.endswith("aarch64")


def _machine_type(program: str) -> str:
    board = "virt,gic-version=max" if _is_arm(program) else "q35,vmport=off,smm=off,graphics=off"
    return f"{board},dump-guest-core=off"


def _speed(program: str, accelerator: str, translated: int) -> tuple[str, ...]:
    """Return by what the processors run. `translated`: MiB that the emulation keeps of what it has translated."""
    if accelerator == "tcg":
        return ("-accel", f"tcg,tb-size={translated}", "-cpu", "max" if _is_arm(program) else _EMULATED)
    return ("-accel", accelerator, "-cpu", "host")


def _is_kept(spec: MachineSpec) -> bool:
    """Whether its memory is for others to start from, so that it boots and ends."""
    return spec.memory_file is not None and not spec.memory_kept


def _flash(spec: MachineSpec) -> str:
    """Return which drives are the board's flash memory: the firmware, then what it keeps."""
    nodes = [_node(number) for number, drive in enumerate(spec.drives) if drive.flash]
    return "".join(f",pflash{place}={node}" for place, node in enumerate(nodes))


def _kernel(spec: MachineSpec) -> tuple[str, ...]:
    if spec.kernel is None:
        return ()
    initrd = ("-initrd", spec.initrd) if spec.initrd else ()
    return ("-kernel", spec.kernel, *initrd, "-append", spec.command_line)


def _console() -> tuple[str, ...]:
    """Let the console come out where QEMU's own words do; whoever starts it keeps both."""
    return ("-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console")


def _files(descriptors: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(word for one in descriptors for word in ("-add-fd", f"fd={one},set={one}"))


def _control(descriptor: int | None) -> tuple[str, ...]:
    where = _listening("control", paths.MACHINE_CONTROL, descriptor)
    return ("-chardev", where, "-mon", "chardev=control,mode=control")


def _line(descriptor: int | None) -> tuple[str, ...]:
    return (
        *("-device", "virtio-serial-pci,id=ports"),
        *("-chardev", _listening("line", paths.MACHINE_LINE, descriptor)),
        *("-device", f"virtserialport,bus=ports.0,chardev=line,name={PORT_NAME}"),
    )


def _listening(name: str, path: str, descriptor: int | None) -> str:
    where = f"path={path}" if descriptor is None else f"fd={descriptor}"
    return f"socket,id={name},{where},server=on,wait=off"


def _random() -> tuple[str, ...]:
    return ("-object", "rng-builtin,id=random", "-device", "virtio-rng-pci,rng=random")


def _credentials(spec: MachineSpec) -> tuple[str, ...]:
    """Tell a systemd inside who may be root. Whoever lists processes sees it, so it is nothing secret."""
    name = "io.systemd.credential.binary:ssh.authorized_keys.root"
    return ("-smbios", f"type=11,value={name}={spec.root_key}") if spec.root_key else ()


def _disks(drives: tuple[Drive, ...], *, first: bool) -> tuple[str, ...]:
    """`first`: the firmware boots the first of them, and no other."""
    options: list[str] = []
    for number, drive in enumerate(drives):
        node = _node(number)
        options += ["-blockdev", _block(drive, node)]
        if not drive.flash:
            boots = ",bootindex=0" if first else ""
            first = False
            options += ["-device", f"virtio-blk-pci,drive={node},serial={drive.serial}{boots}"]
    return tuple(options)


def _node(number: int) -> str:
    return f"disk{number}"


def _block(drive: Drive, node: str) -> str:
    """Return the node as JSON: a path may have a comma in it."""
    options = _layer(drive.path, drive.format, read_only=drive.read_only, node=node)
    top = options
    for path in drive.below or ():
        top["backing"] = top = _layer(path, "qcow2", read_only=True)
    if drive.below is not None and drive.format == "qcow2":
        top["backing"] = None  # else its header would say, and of what format
    return json.dumps(options)


def _layer(path: str, form: str, *, read_only: bool, node: str = "") -> dict[str, object]:
    file = {"driver": "file", "filename": path, "read-only": read_only, "discard": "unmap"}
    name = {"node-name": node} if node else {}
    return {"driver": form, **name, "read-only": read_only, "discard": "unmap", "file": file}


def _network(spec: MachineSpec, wire: int | None) -> tuple[str, ...]:
    network = f"user,id=net,net=10.0.2.0/24,host={GATEWAY},dns={NAME_SERVER},ipv6=off"
    network += f",hostfwd=tcp:127.0.0.1:{spec.sshd}-:{_SSH}" if spec.sshd else ""
    if wire is not None:
        network = f"stream,id=net,server=off,addr.type=fd,addr.str={wire}"
    return ("-netdev", network, "-device", f"virtio-net-pci,netdev=net,mac={mac(spec.uuid)},romfile=")


def _private(spec: MachineSpec, handed: Handed | None) -> tuple[str, ...]:
    """Let whoever connects be the other end of the wire, one after another: what has ended can be started again."""
    place = f"addr.type=unix,addr.path={paths.MACHINE_WIRE}"
    if handed:
        place = f"addr.type=fd,addr.str={handed.private}"
    network = f"stream,id=private,server=on,{place}"
    return ("-netdev", network, "-device", f"virtio-net-pci,netdev=private,mac={private_mac(spec.private)},romfile=")


def refuse(spec: MachineSpec) -> None:
    """Raise the `MachineError` of `argv`, if there is one."""
    abouts = (_about_itself, _about_network, _about_sshd, _about_files)
    for problem in (*(about(spec) for about in abouts), _about_drives(spec.drives)):
        if problem:
            raise MachineError(f"the machine {spec.name!r} cannot be started: {problem}")


def _about_itself(spec: MachineSpec) -> str | None:
    if not _NAME.fullmatch(spec.name):
        return "its name must be letters, digits, dots, dashes and underscores"
    if not _UUID.fullmatch(spec.uuid):
        return f"{spec.uuid!r} is no UUID in lower case"
    if not 1 <= spec.cpus <= _MOST_CPUS:
        return f"it must have between 1 and {_MOST_CPUS} cpus, not {spec.cpus}"
    if spec.memory < LEAST:
        return f"it must have at least {LEAST // _MIB} MiB of memory, not {spec.memory // _MIB}"
    if spec.accelerator not in ACCELERATORS:
        return f"{spec.accelerator!r} is none of {', '.join(ACCELERATORS)}"
    return None


def _about_network(spec: MachineSpec) -> str | None:
    if spec.private and not _ADDRESS.fullmatch(spec.private):
        return f"{spec.private!r} is no address on a wire to other machines"
    return None


def _about_sshd(spec: MachineSpec) -> str | None:
    if not _BASE64.fullmatch(spec.root_key) or not 0 <= spec.sshd < 1 << 16:
        return "it is to be entered by what is no key, or no port"
    return None


def _about_files(spec: MachineSpec) -> str | None:
    files = [spec.kernel, spec.directory, spec.initrd, spec.memory_file, spec.share or None]
    files += [path for drive in spec.drives for path in (drive.path, *(drive.below or ()))]
    for path in [file for file in files if file is not None]:
        if not path.startswith("/") or "\0" in path:
            return f"{path!r} is no absolute path"
    if len(spec.command_line.encode()) > _LONGEST_COMMAND_LINE:
        return f"its kernel's command line is longer than {_LONGEST_COMMAND_LINE} bytes"
    if spec.share and (spec.memory_file or spec.incoming):
        return "it shares a directory live, and such a machine has no memory that others start from"
    if not spec.command_line.isprintable():
        return "its kernel's command line has characters that cannot be printed"
    return None


def _about_drives(drives: tuple[Drive, ...]) -> str | None:
    for drive in drives:
        if drive.format not in FORMATS:
            return f"{drive.path} is to be {drive.format!r}, which is none of {', '.join(FORMATS)}"
        if not _SERIAL.fullmatch(drive.serial):
            return f"{drive.serial!r} is no serial number of a disk"
    if len({drive.serial for drive in drives}) != len(drives):
        return "two of its disks have the same serial number"
    return None
