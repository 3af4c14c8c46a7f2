#!/bin/sh
# Bring this clone to where `make demo` and `make test` can run: Python, .venv, a container engine, mmdebstrap, QEMU.
#
#   scripts/setup.sh demo    the runtime dependencies, an engine that answers, QEMU where it can be installed
#   scripts/setup.sh test    that, the linters and test tools, and what the integration tests use
#   scripts/setup.sh test-all  the same, and what the nightly tests use
#   scripts/setup.sh check   .venv with the linters and test tools; no engine
#
# On Debian as root it installs what is missing with apt-get and says so in one line each; elsewhere it installs
# nothing, says what is missing and how to get it, and exits 3. A second run finds everything and says nothing.
set -eu
umask 022
cd "$(dirname "$0")/.."
goal=${1:?demo, test, test-all or check}
logs=build-out
log=$logs/setup.log
mkdir -p "$logs"

say() { printf 'setup: %s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }

# give_up STATUS MESSAGE LOG: end with the last lines of a log
give_up() {
    say "$2; the last lines of $3:"
    tail -n 20 "$3" >&2
    exit "$1"
}

can_install() { [ "$(id -u)" = 0 ] && [ -f /etc/debian_version ] && have apt-get; }

# need HINT PACKAGE...: install Debian packages, or note what is missing
missing=
updated=
need() {
    hint=$1
    shift
    if ! can_install; then
        missing="$missing
  $hint"
        return 0
    fi
    say "installing $* (apt-get)"
    export DEBIAN_FRONTEND=noninteractive
    if [ -z "$updated" ]; then
        apt-get update -q >>"$log" 2>&1 || give_up 1 "apt-get update failed" "$log"
        updated=1
    fi
    apt-get install -y -q --no-install-recommends "$@" >>"$log" 2>&1 </dev/null || give_up 1 "apt-get install failed" "$log"
}

report_missing() {
    [ -n "$missing" ] || return 0
    say "this machine lacks:$missing"
    say "nothing was installed: that is done on Debian as root alone; run make again when it is there"
    exit 3
}

usable_python() { "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

# The distribution's own Python first: every user can read it, a version manager's lies in somebody's home.
find_python() {
    for candidate in ${PYTHON:+"$PYTHON"} /usr/bin/python3 python3 python3.14 python3.13 python3.12 python3.11; do
        if have "$candidate" && usable_python "$candidate"; then
            echo "$candidate"
            return 0
        fi
    done
    return 1
}

set_up_python() {
    find_python >/dev/null || need "Python 3.11 or newer with venv, first on PATH or named by PYTHON=" python3 python3-venv
    report_missing
    python=$(find_python) || {
        say "this distribution's Python is older than 3.11; install a newer one and name it: make demo PYTHON=..."
        exit 3
    }
}

# A stamp says what .venv was made from; the path is in it since a moved clone has dead scripts.
stamp() { printf '%s %s %s\n' "$1" "$(cksum <pyproject.toml)" "$PWD"; }
stamped() {
    [ "$(cat ".venv/stamp-$1" 2>/dev/null)" = "$(stamp "$1")" ] && [ -x .venv/bin/devbox ] && .venv/bin/python -c '' 2>/dev/null
}

set_up_venv() {
    extra=$1
    if stamped dev || { [ "$extra" = run ] && stamped run; }; then return 0; fi
    set_up_python
    if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
        say "making .venv with $("$python" --version)"
        "$python" -m venv --clear .venv >>"$log" 2>&1 || give_up 1 "venv failed" "$log"
    fi
    what=.
    [ "$extra" = run ] || what=".[$extra]"
    say "installing devbox into .venv, and compiling its agent: about a minute (pip install -e $what)"
    .venv/bin/python -m pip install --disable-pip-version-check -q -e "$what" >>"$log" 2>&1 || give_up 1 "pip failed" "$log"
    stamp "$extra" >".venv/stamp-$extra"
}

# Podman will do for the demo of somebody who cannot install; the tests want Docker, and where it can be had it is started.
engine_answers() {
    peers="docker podman"
    if can_install || [ "${goal%-all}" = test ]; then peers=docker; fi
    .venv/bin/python - $peers <<'PYTHON' 2>"$logs/engine.log"
import os, shutil, subprocess, sys
import docker
try:
    docker.from_env(timeout=10).ping()
except Exception as error:  # whatever it is, it goes to the log, and the next one is asked
    print(error, file=sys.stderr)
else:
    sys.exit(0)
if "DOCKER_HOST" in os.environ:
    sys.exit(1)  # that one was asked for, and no other
asked = {"docker": ["docker", "version"], "podman": ["podman", "info"]}  # a context; Podman, whose service devbox starts
for argv in map(asked.__getitem__, sys.argv[1:]):
    if shutil.which(argv[0]) and not subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=sys.stderr, timeout=60).returncode:
        sys.exit(0)
sys.exit(1)
PYTHON
}

set_up_engine() {
    if engine_answers; then return 0; fi
    if [ -n "${DOCKER_HOST:-}" ]; then give_up 3 "the engine at DOCKER_HOST=$DOCKER_HOST does not answer" "$logs/engine.log"; fi
    if grep -q 'Permission denied' "$logs/engine.log"; then
        say "an engine runs, but $(id -un) may not use it; as root: usermod -aG docker $(id -un), then log in again"
        exit 3
    fi
    if ! can_install; then
        need "a container engine that answers: start Docker (or Podman), or install it: https://docs.docker.com/engine/install/"
        return 0
    fi
    if ! have dockerd || ! have iptables; then need - docker.io iptables; fi
    start_engine
}

# forget FILE PROGRAM: remove a pid file of a PROGRAM that was killed; by now the pid may be somebody else's, and
# the engine would believe that it runs already
forget() {
    pid=$(cat "$1" 2>/dev/null) || return 0
    [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$2" ] || rm -f "$1"
}

start_engine() {
    say "starting the engine (dockerd)"
    if [ -d /run/systemd/system ]; then
        systemctl start docker >>"$log" 2>&1 || true
    else
        forget /var/run/docker.pid dockerd
        forget /var/run/docker/containerd/containerd.pid containerd
        setsid -f dockerd >"$logs/dockerd.log" 2>&1 </dev/null
    fi
    waited=0
    until engine_answers; do
        waited=$((waited + 1))
        [ "$waited" -lt 60 ] || give_up 3 "the engine did not answer within 60 s" "$(ls "$logs/dockerd.log" 2>/dev/null || echo "$log")"
        sleep 1
    done
}

# Root has all ids; anybody else is given some, to be the users of a root file system. Only root can give them.
require_further_ids() {
    [ "$(id -u)" -ne 0 ] || return 0
    name=$(id -un)
    if grep -q "^$name:" /etc/subuid && grep -q "^$name:" /etc/subgid; then return 0; fi 2>/dev/null
    missing="$missing
  further ids for $name (as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $name)"
}

# A base of the Debian family is bootstrapped where no registry answers.
set_up_bootstrap() {
    if have mmdebstrap && have newuidmap && [ -e /usr/share/keyrings/debian-archive-keyring.gpg ]; then return 0; fi
    [ -f /etc/debian_version ] || return 0 # elsewhere devbox pulls, or bootstraps inside a container
    need "mmdebstrap, debian-archive-keyring and uidmap (as root: apt-get install mmdebstrap debian-archive-keyring uidmap)" \
        mmdebstrap debian-archive-keyring uidmap
}

# Machines are of this host's own architecture.
set_up_machines() {
    case $(uname -m) in
    aarch64 | arm64) emulator=qemu-system-aarch64 package=qemu-system-arm ;;
    *) emulator=qemu-system-x86_64 package=qemu-system-x86 ;;
    esac
    have "$emulator" && have qemu-img || need "QEMU: $emulator and qemu-img" "$package" qemu-utils
    have mke2fs || [ -x /sbin/mke2fs ] || need "mke2fs" e2fsprogs
    have passt || need "passt" passt # the network of machines, without this host's loopback
}

# The docker command is there for its BuildKit and the benchmarks; an engine that already answers is left alone.
set_up_client() {
    have docker && return 0
    guard=/usr/sbin/policy-rc.d
    if can_install && [ ! -e "$guard" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$guard"
        chmod 755 "$guard"
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    need "the docker command" docker.io
}

# Of what a test makes a disk with boot loaders of its own: partitions, FAT, a loader for BIOS and one for UEFI.
set_up_foreign_disks() {
    for file in /usr/lib/SYSLINUX/gptmbr.bin /usr/lib/systemd/boot/efi/systemd-bootx64.efi /usr/share/OVMF/OVMF_CODE_4M.fd; do
        [ -e "$file" ] || lacking=1
    done
    for program in mcopy /usr/sbin/mkfs.vfat /usr/sbin/sfdisk syslinux; do
        have "$program" || lacking=1
    done
    [ -z "${lacking:-}" ] || need "mtools, dosfstools, fdisk, syslinux, systemd-boot-efi and ovmf" \
        mtools dosfstools fdisk syslinux syslinux-common systemd-boot-efi ovmf
}

# What the tests that need no engine call.
set_up_quick_tools() {
    have ps || need "ps" procps # by which a system without /proc says when a process began
}

set_up_test_tools() {
    have strace || need "strace" strace # to see that nothing of a stranger's repository runs
    have depmod || [ -x /sbin/depmod ] || need "depmod and modprobe" kmod # the modules of a machine of the tests
    have busybox || need "busybox (static)" busybox-static
    have zsh && have fish || need "zsh and fish" zsh fish
    have tmux || need "tmux" tmux # the terminal of the interactive tests
    have ssh && have sftp && have rsync && have git || need "ssh, rsync and git" openssh-client rsync git
    have ip && have tc || need "ip and tc" iproute2 # a slow line of the tests' own to an engine elsewhere
    have unison || need "unison" unison # it meets the same scenarios as devbox's own sync
    have podman && have catatonit || need "podman, with catatonit" podman catatonit
    have npm || need "npm" npm # these two get real projects from their registries, and so do the next two
    have go || need "Go" golang-go
}
set_up_sources() {
    have cargo || need "cargo" cargo
    have mvn || need "Maven" maven
}

# A compiler with libFuzzer and the sanitizers, of about 200 MB.
set_up_fuzzer() {
    have clang && [ -n "$(find "$(clang -print-resource-dir)/" -name 'libclang_rt.fuzzer*' -print -quit)" ] && return 0
    need "clang with libFuzzer (compiler-rt)" clang libclang-rt-dev
}

case $goal in
check)
    set_up_venv dev
    set_up_quick_tools
    ;;
demo)
    set_up_venv run
    set_up_bootstrap
    if can_install; then set_up_machines; fi # elsewhere the demo does with containers
    set_up_engine
    ;;
test | test-all)
    set_up_venv dev
    set_up_bootstrap
    require_further_ids
    set_up_machines
    set_up_engine
    set_up_client
    set_up_quick_tools
    set_up_test_tools
    set_up_foreign_disks
    [ "$goal" = test ] || set_up_sources
    [ "$goal" = test ] || set_up_fuzzer
    ;;
*)
    say "no such goal: $goal"
    exit 2
    ;;
esac
report_missing
