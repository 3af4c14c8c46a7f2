"""What a machine has beyond the container: a kernel, systemd and the agent's unit. Pure.

These steps come last, so that all layers of the container serve the machine too. What they put there is only added: no
file of the container's is changed, but for those that `_settings` names.
"""

from dataclasses import replace
from typing import Final, Literal

from devbox.build.recipe import BaseImage, Question, Step, asked
from devbox.build.steps import apt
from devbox.build.steps.script import script
from devbox.errors import BaseImageError, Problem
from devbox.profile.lock import Group, Platform

Init = Literal["full", "trimmed", "minimal"]

ANSWER: Final = "vm.system"  # where the Lock has the packages of a machine
_KEY: Final = "runtime"
_CLOUD: Final = ("amd64", "arm64")  # for which Debian has a kernel of what virtual machines have, and little else
_GROWING: Final = "e2fsprogs"  # has resize2fs: a file system grows inside to what its disk may grow to
_SYSTEM: Final = (
    "dbus",
    "dbus-user-session",
    "iproute2",
    "kmod",
    "libpam-systemd",
    "systemd",
    "systemd-sysv",
    "udev",
)
_SSHD: Final = "openssh-server"
_UNIT: Final = "devbox-agent.service"
_MASKED: Final = "/dev/null"

# Early, and not ended with what a target ends: it is the way in, also while something hangs. What it has started for
# the user outlives it (KillMode). Nothing of systemd's own confinement: what runs below it is the user's own system.
_AGENT = f"""
cat > /etc/systemd/system/{_UNIT} <<'devbox-end'
# Written by devbox: the way into this machine.
[Unit]
Description=devbox agent
DefaultDependencies=no
Before=sysinit.target shutdown.target
Conflicts=shutdown.target
StartLimitIntervalSec=0

[Service]
ExecStart=/run/devbox/agent machine
KillMode=process
Restart=always
RestartSec=1
TasksMax=infinity
OOMScoreAdjust=-900
IgnoreSIGPIPE=no

[Install]
WantedBy=sysinit.target
devbox-end
""".strip()

# A key in a layer would be that of every machine of this image. The package makes those that are not there.
_KEYS: Final = "/etc/ssh/ssh_host_rsa_key /etc/ssh/ssh_host_ecdsa_key /etc/ssh/ssh_host_ed25519_key"
_NO_KEYS: Final = (
    "mkdir -p /etc/ssh",
    f"for key in {_KEYS}; do [ -e $key ] || : > $key; done",
)
# It is started for each connection (ssh/sshd.py); one that listens would want keys, and nobody asks it anything.
_ONLY_WHEN_ASKED: Final = (
    "find /etc/ssh -name 'ssh_host_*_key' -empty -delete",
    "rm -f /etc/systemd/system/multi-user.target.wants/ssh.service",
    "rm -f /etc/systemd/system/sockets.target.wants/ssh.socket /etc/systemd/system/ssh.service.requires/ssh.socket",
)

# Of `trimmed`: what a machine without hardware, whose file system came up mounted, can do without.
_TRIMMED: Final = (
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "dev-hugepages.mount",
    "dev-mqueue.mount",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "getty.target",
    "kmod-static-nodes.service",
    "modprobe@configfs.service",
    "modprobe@drm.service",
    "modprobe@fuse.service",
    "proc-sys-fs-binfmt_misc.automount",
    "sys-fs-fuse-connections.mount",
    "sys-kernel-config.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "systemd-ask-password-console.path",
    "systemd-ask-password-wall.path",
    "systemd-binfmt.service",
    "systemd-firstboot.service",
    "systemd-hwdb-update.service",
    "systemd-journal-flush.service",
    "systemd-machine-id-commit.service",
    "systemd-pstore.service",
    "systemd-random-seed.service",
    "systemd-remount-fs.service",
    "systemd-repart.service",
    "systemd-sysusers.service",
    "systemd-udev-trigger.service",
    "systemd-update-utmp-runlevel.service",
    "systemd-update-utmp.service",
)

_GENERATORS: Final = (
    "cryptsetup",
    "gpt-auto",
    "hibernate-resume",
    "integritysetup",
    "rc-local",
    "system-update",
    "veritysetup",
)


def packages(base: BaseImage, init: Init, *, sshd: bool = False) -> tuple[str, ...]:
    """Return the packages that make a machine of `base`; `BaseImageError` if devbox cannot do that."""
    if base.family != "debian":
        raise BaseImageError(
            f"{base.reference} cannot become a virtual machine: devbox knows the kernels of Debian's family alone",
            hint='choose a base of that family, as base.image = "debian:12", or the runtime "container"',
            problems=[Problem(key=_KEY, message=f"not with a base of the {base.distribution or base.family} kind")],
        )
    more = [*([] if init == "minimal" else _SYSTEM), *([_SSHD] if sshd else [])]
    return tuple(sorted([_kernel(base), _GROWING, *more]))


def _kernel(base: BaseImage) -> str:
    if base.distribution == "ubuntu":
        return "linux-image-virtual"
    if base.architecture in _CLOUD:
        return f"linux-image-cloud-{base.architecture}"
    return f"linux-image-{base.architecture}"


def vm_links(base: BaseImage, init: Init, lock: Platform, *, sshd: bool = False) -> tuple[Step, ...] | Question:
    """Return the steps that make a machine of what is there; the question about its packages if `lock` has no answer.

    Raises `BaseImageError`, see `packages`.
    """
    names = packages(base, init, sshd=sshd)
    question = replace(
        apt.question(base, names, hostless=True),
        key=ANSWER,
        name="look up what the machine needs",
        asked=asked(ANSWER, base.digest or base.id, names),
    )
    known = lock.answers.get(ANSWER)
    if known is None or known.asked != question.asked:
        return question
    return vm_steps(base, init, apt.answered(Group(asked=names), known.lines), sshd=sshd)


def vm_steps(base: BaseImage, init: Init, group: Group, *, sshd: bool = False) -> tuple[Step, ...]:
    """Return the steps that install the packages of `group` and set up the system that `init` names."""
    # The kernel's package makes an initrd for any hardware; the machine gets a small one of its own.
    bare = ["export INITRD=No", *(_NO_KEYS if sshd else ())]
    installed = replace(apt.install(base, group, before=bare), name="the machine's packages", key=_KEY)
    lines = [*_settings(init), *(_ONLY_WHEN_ASKED if sshd else ())]
    return (installed, Step(name="the machine's system", key=_KEY, script=script(base.epoch, lines), network=False))


def without_gone(lock: Platform, names: frozenset[str]) -> Platform:
    """Return `lock` without the answer about the machine's packages, if that has one of `names`."""
    known = lock.answers.get(ANSWER)
    if known is None or not names & {one.name for one in apt.answered(Group(), known.lines).packages}:
        return lock
    return replace(lock, answers={key: one for key, one in lock.answers.items() if key != ANSWER})


def _settings(init: Init) -> list[str]:
    unlinked = ["rm -f /initrd.img /initrd.img.old"]  # links to what there is none of
    if init == "minimal":
        return unlinked
    system = "/etc/systemd/system"
    return [
        *unlinked,
        _AGENT,
        f"mkdir -p {system}/sysinit.target.wants /etc/systemd/system-generators /etc/systemd/network",
        f"ln -sf ../{_UNIT} {system}/sysinit.target.wants/{_UNIT}",
        f"ln -sf /lib/systemd/system/multi-user.target {system}/default.target",
        *_no_consoles(system),
        # The interface keeps the name that the initrd has set it up by.
        f"ln -sf {_MASKED} /etc/systemd/network/99-default.link",
        *_unique(),
        *_not_first(),
        *_kept_temporary(system),
        *(_trimmed(system) if init == "trimmed" else []),
    ]


def _trimmed(system: str) -> list[str]:
    return [
        *(f"ln -sf {_MASKED} {system}/{unit}" for unit in _TRIMMED),
        *(f"ln -sf {_MASKED} /etc/systemd/system-generators/systemd-{name}-generator" for name in _GENERATORS),
    ]


def _no_consoles(system: str) -> list[str]:
    """Return lines after which nobody waits for a login where nobody can type."""
    return [
        f"ln -sf {_MASKED} /etc/systemd/system-generators/systemd-getty-generator",
        f"rm -f {system}/getty.target.wants/getty@tty1.service",
        "mkdir -p /etc/systemd/logind.conf.d",
        "printf '[Login]\\nNAutoVTs=0\\nReserveVT=0\\n' > /etc/systemd/logind.conf.d/devbox.conf",
    ]


def _unique() -> list[str]:
    """Return lines after which what must be another on every machine is made at its first boot.

    An empty machine-id is filled then; a missing one would also have all units enabled anew as their vendor likes.
    """
    return [
        ": > /etc/machine-id",
        "[ ! -e /var/lib/dbus/machine-id ] || ln -sf /etc/machine-id /var/lib/dbus/machine-id",
        "rm -f /var/lib/systemd/random-seed /var/lib/systemd/credential.secret",
    ]


def _kept_temporary(system: str) -> list[str]:
    """Return lines after which nothing is put over /tmp or taken from it while it boots: a command may be there first.

    It is as in a container then: what was put there is there until somebody removes it.
    """
    name = "tmpfiles.d/tmp.conf"
    rule = r"s/^D!\?[[:space:]]\+\(\/tmp[[:space:]]\)/d \1/"
    return [
        f"ln -sf {_MASKED} {system}/tmp.mount",
        "mkdir -p /etc/tmpfiles.d",
        f"[ ! -e /usr/lib/{name} ] || sed '{rule}' /usr/lib/{name} > /etc/{name}",
    ]


def _not_first() -> list[str]:
    """Return lines after which the first boot is as any: nothing to be brought up to date, services may start."""
    only = "sed '/^#/d; /^$/d' /usr/sbin/policy-rc.d 2>/dev/null"
    return [
        "touch -r /usr /etc/.updated /var/.updated",
        # It keeps services from starting where they are installed, as is right in an image.
        f'[ "$({only})" != "exit 101" ] || rm /usr/sbin/policy-rc.d',
    ]
