"""Every file name that devbox owns on the host, in one place. Hot: `os` alone.

| file | what it is |
|---|---|
| `$XDG_STATE_HOME/devbox/s/<8 hex>/lock` | flock of one Workspace, with its holder's pid and command |
| `$XDG_STATE_HOME/devbox/s/<8 hex>/record` | the Record |
| `$XDG_STATE_HOME/devbox/s/<8 hex>/devbox.lock` | the Lock of a Workspace as one person has it, or without a profile |
| `$XDG_STATE_HOME/devbox/s/<8 hex>/logs/NN-<step>.log` | output of each step of the last build |
| `$XDG_STATE_HOME/devbox/s/<8 hex>/console` | what the console said of a new machine that did not come up, and went |
| `$XDG_STATE_HOME/devbox/s/<8 hex>/agent/` | mounted into the Environment; the agent's socket is made in it |
| `$XDG_STATE_HOME/devbox/s/<8 hex>/agent.foreign-<n>/` | one that root inside had given away, for you to remove |
| `$XDG_STATE_HOME/devbox/s/<8 hex>/agent-failed/` | the same for `shell --failed` |
| `$XDG_STATE_HOME/devbox/s/<8 hex>/supervisor.sock` | the Supervisor's control socket |
| `$XDG_STATE_HOME/devbox/s/<8 hex>/relay.sock` | where an agent elsewhere is reached through its engine |
| `$XDG_STATE_HOME/devbox/s/<8 hex>/supervisor.lock` | flock of the Supervisor, as long as it lives |
| `$XDG_STATE_HOME/devbox/s/<8 hex>/supervisor.log` | what the Supervisor has to say; `.1`: and what it said before |
| `$XDG_STATE_HOME/devbox/s/<8 hex>/settle.log` | what was said while the Image behind an `add` or `remove` was made |
| `$XDG_STATE_HOME/devbox/s/<8 hex>/ports` | the ports of this host that were given to the Workspace, and are kept |
| `$XDG_STATE_HOME/devbox/s/<8 hex>/sync` | what the Supervisor is to sync, for the one after it |
| `$XDG_STATE_HOME/devbox/s/<8 hex>/sync.db` | what the SyncSession remembers; `.aside-<n>`: one that was no use |
| `$XDG_STATE_HOME/devbox/s/<8 hex>/sync.db.copy` | a copy of that on its way into a snapshot |
| `$XDG_STATE_HOME/devbox/s/<8 hex>/saved/` | archives of what `destroy --force` found inside alone |
| `$XDG_STATE_HOME/devbox/s/<8 hex>/machines` | which of several machines of the project have been made |
| `$XDG_STATE_HOME/devbox/s/<8 hex>/net/<8 hex>` | where a machine of the project takes what others send it |
| `$XDG_STATE_HOME/devbox/s/<8 hex>/data.qcow2` | the volumes of the Workspace's machine |
| `$XDG_STATE_HOME/devbox/s/<8 hex>/snapshots/` | the snapshots of the Workspace's machine |
| `$XDG_STATE_HOME/devbox/vm/<name>/` | a machine: its disk, its sockets, what it was made from, its console |
| `$XDG_CACHE_HOME/devbox/images/` | images and caches of builds that were made without an engine |
| `$XDG_CACHE_HOME/devbox/vm/<16 hex>/` | kernel, initial RAM disk and root disk of one Image |
| `$XDG_CACHE_HOME/devbox/vm/<64 hex>.part`, `file-<16 hex>.json` | a disk on its way here; the digest of a disk here |
| `$XDG_STATE_HOME/devbox/s/<8 hex>/ssh/` | keys and known hosts of `devbox ssh-config` |
| `$XDG_STATE_HOME/devbox/vm/<name>/qemu` | the UUID of a machine, and which process is its QEMU |
| `$XDG_STATE_HOME/devbox/vm/<name>/qmp.sock`, `line.sock` | QEMU's control socket, and the way to the agent inside |
| `$XDG_STATE_HOME/devbox/vm/<name>/wire.sock` | where its wire to other machines of the project ends |
| `$XDG_STATE_HOME/devbox/vm/<name>/console`, `.1` | the last that it and QEMU said, and before; `.end`: that is all |
| `$XDG_STATE_HOME/devbox/vm/<name>/disk.qcow2` | what it wrote over its Image's disk |
| `$XDG_STATE_HOME/devbox/vm/<name>/state` | what ran in it when it was saved, for a disk that has not changed since |
| `$XDG_STATE_HOME/devbox/vm/<name>/saved`, `started` | what that was saved under, and what it was started with |
| `$XDG_STATE_HOME/devbox/vm/<name>/seed.iso`, `uefi` | what tells a foreign system who it is; what its UEFI keeps |
| `$XDG_STATE_HOME/devbox/vm/<name>/ssh_host_key`, `ssh_key` | its keys, with `.pub` beside them; `known_hosts` |
| `$XDG_STATE_HOME/devbox/vm/<name>/keys` | a pipe: what is typed at its serial console |
| `$XDG_STATE_HOME/devbox/vm/<name>/attached`, `unattached` | whether the agent has been in a foreign system |
| `$XDG_STATE_HOME/devbox/agent/<16 hex>/agent-<arch>` | the agent's program, mounted into Environments |
| `$XDG_STATE_HOME/devbox/sync/<16 hex>` | flock of the SyncSession of one directory, with its path, pid and boot id |
| `$XDG_STATE_HOME/devbox/podman/api.sock` | socket of a Podman service that devbox started; its `log` beside it |
| `$XDG_STATE_HOME/devbox/trust/<64 hex>.json` | what the user agreed to for one project directory |
| `$XDG_CONFIG_HOME/devbox/config.toml` | the user's own layer under every profile |
| `$XDG_CACHE_HOME/devbox/prepared/<8 hex>.json` | what `up` worked out last, and from which inputs |
| `$XDG_CACHE_HOME/devbox/prepared/<8 hex>.asking` | what the container of its next question about packages is made of |
| `$XDG_CACHE_HOME/devbox/` | what may be deleted at any time |
| `$XDG_CACHE_HOME/devbox/agent/<16 hex>/agent-<arch>` | the agent, compiled from a checkout |
| `$XDG_CACHE_HOME/devbox/vm/acceleration-<16 hex>.json` | whether a kernel starts with the acceleration of this host |
| `$XDG_CACHE_HOME/devbox/vm/acceleration.lock` | flock of whoever tries that |
| `$XDG_CACHE_HOME/devbox/bases/<64 hex>.json` | what was found inside the base image with this id |
| `$XDG_CACHE_HOME/devbox/bases/<suite>.lock` | flock of whoever bootstraps this suite |
| `$XDG_CACHE_HOME/devbox/bases/<suite>.<pid>.tar` | a root file system on its way from the archive to the engine |

`<8 hex>` is the start of the SHA-256 of the project's real path, and for a machine of several of its name behind that.
The lock is that of the project, whichever machine it is about.
"""

import os

PROFILE = "devbox.toml"
LOCAL_PROFILE = "devbox.local.toml"
LOCK = "devbox.lock"
AGENT_SOCKET = "agent.sock"  # in an agent's directory
SNAPSHOTS = "snapshots"  # in a Workspace's state directory

# In a machine's directory.
MACHINE_RECORD = "qemu"
MACHINE_CONTROL = "qmp.sock"
MACHINE_LINE = "line.sock"
MACHINE_WIRE = "wire.sock"
MACHINE_CONSOLE = "console"
MACHINE_DISK = "disk.qcow2"
MACHINE_STATE = "state"
MACHINE_SAVED = "saved"  # what that was saved under
MACHINE_STARTED = "started"  # what it was started with
MACHINE_SHARE = "share"  # who shares the project with it live
MACHINE_SHARE_LOG = "share.log"
MACHINE_SHARE_DOOR = "share.sock"  # for as long as it takes to connect


def _xdg(variable: str, fallback: str) -> str:
    value = os.environ.get(variable, "")
    if value.startswith("/"):  # the XDG specification: a relative value is to be ignored
        return value
    return os.path.join(home(), fallback)


def home() -> str:
    """The user's home, from HOME or else from the password database."""
    value = os.environ.get("HOME", "")
    return value if value.startswith("/") else os.path.expanduser("~")


def state_root() -> str:
    """Where all that devbox remembers lies."""
    return os.path.join(_xdg("XDG_STATE_HOME", ".local/state"), "devbox")


def cache_root() -> str:
    """Where devbox keeps what can be made anew."""
    return os.path.join(_xdg("XDG_CACHE_HOME", ".cache"), "devbox")


def bases_root() -> str:
    """Where devbox keeps what it knows of base images, and makes its own."""
    return os.path.join(cache_root(), "bases")


def user_profile() -> str:
    """The user's own layer under every profile."""
    return os.path.join(_xdg("XDG_CONFIG_HOME", ".config"), "devbox", "config.toml")


def workspaces_root() -> str:
    """Where the state directories of all Workspaces lie, by their hash."""
    return os.path.join(state_root(), "s")


def workspace_state(path_hash: str) -> str:
    """The state directory of the Workspace with this hash."""
    return os.path.join(workspaces_root(), path_hash)


def lock_file(path_hash: str) -> str:
    """The flock of a Workspace."""
    return os.path.join(workspace_state(path_hash), "lock")


def record_file(path_hash: str) -> str:
    """The Record of a Workspace."""
    return os.path.join(workspace_state(path_hash), "record")


def private_lock(path_hash: str) -> str:
    """The Lock of a Workspace that is not the project's own."""
    return os.path.join(workspace_state(path_hash), LOCK)


def trust_store(path_hash: str) -> str:
    """The CA bundle of a Workspace as Java reads it."""
    return os.path.join(workspace_state(path_hash), "ca.jks")


def prepared_file(path_hash: str) -> str:
    """What `up` worked out last for a Workspace."""
    return os.path.join(cache_root(), "prepared", path_hash + ".json")


def asking_file(path_hash: str) -> str:
    """What the container of the next question about system packages is made of."""
    return os.path.join(cache_root(), "prepared", f"{path_hash}.asking")


def log_directory(path_hash: str) -> str:
    """The build logs of a Workspace."""
    return os.path.join(workspace_state(path_hash), "logs")


def last_console(path_hash: str) -> str:
    """What the console said of a new machine of a Workspace that did not come up, and was removed."""
    return os.path.join(workspace_state(path_hash), "console")


def agent_directory(path_hash: str) -> str:
    """The directory that a Workspace's agent makes its socket in."""
    return os.path.join(workspace_state(path_hash), "agent")


def agent_socket(path_hash: str) -> str:
    """The socket of a Workspace's agent."""
    return os.path.join(agent_directory(path_hash), AGENT_SOCKET)


def failed_agent_directory(path_hash: str) -> str:
    """The directory of the agent that `shell --failed` starts."""
    return os.path.join(workspace_state(path_hash), "agent-failed")


def agents_root() -> str:
    """Where the builds of the agent's program lie, each in a directory of its name."""
    return os.path.join(state_root(), "agent")


def agent_program(build: str, architecture: str) -> str:
    """The agent's program of this build (16 hex), as Environments are given it."""
    return os.path.join(agents_root(), build, "agent-" + architecture)


def supervisor_socket(path_hash: str) -> str:
    """The control socket of a Workspace's Supervisor."""
    return os.path.join(workspace_state(path_hash), "supervisor.sock")


def supervisor_lock(path_hash: str) -> str:
    """The flock of a Workspace's Supervisor."""
    return os.path.join(workspace_state(path_hash), "supervisor.lock")


def settle_log(path_hash: str) -> str:
    """What the process says that makes the Image behind `add` or `remove`."""
    return os.path.join(workspace_state(path_hash), "settle.log")


def supervisor_log(path_hash: str) -> str:
    """The log of a Workspace's Supervisor."""
    return os.path.join(workspace_state(path_hash), "supervisor.log")


def ports_file(path_hash: str) -> str:
    """The ports of this host that a Workspace has been given."""
    return os.path.join(workspace_state(path_hash), "ports")


def relay_socket(path_hash: str) -> str:
    """Where the agent of a Workspace is reached through its engine, as if it were here."""
    return os.path.join(workspace_state(path_hash), "relay.sock")


def sync_order(path_hash: str) -> str:
    """What the Supervisor of a Workspace is to sync."""
    return os.path.join(workspace_state(path_hash), "sync")


def sync_state(path_hash: str) -> str:
    """What the SyncSession of a Workspace remembers."""
    return os.path.join(workspace_state(path_hash), "sync.db")


def sync_copy(path_hash: str) -> str:
    """A copy of that on its way into a snapshot."""
    return sync_state(path_hash) + ".copy"


def sync_claims() -> str:
    """Where each SyncSession of this user says which directory it has."""
    return os.path.join(state_root(), "sync")


def machines_root() -> str:
    """Where the directories of all machines lie, by the names of their Instances."""
    return os.path.join(state_root(), "vm")


def private_network(path_hash: str) -> str:
    """Where the machines of a project have the sockets by which they send to each other."""
    return os.path.join(workspace_state(path_hash), "net")


def machines_file(path_hash: str) -> str:
    """Which of several machines of a project have been made."""
    return os.path.join(workspace_state(path_hash), "machines")


def machine_directory(name: str) -> str:
    """The directory of the machine of this name: its disk, its sockets, what it was made from."""
    return os.path.join(machines_root(), name)


def machine_data(path_hash: str) -> str:
    """The disk that holds what outlives a Workspace's machine: its volumes."""
    return os.path.join(workspace_state(path_hash), "data.qcow2")


def snapshots(path_hash: str) -> str:
    """Where the snapshots of a Workspace's machine lie."""
    return os.path.join(workspace_state(path_hash), SNAPSHOTS)


def own_images() -> str:
    """Where images lie that were made without an engine."""
    return os.path.join(cache_root(), "images")


def machine_images() -> str:
    """Where the disks that machines stand on are kept, each made from one Image."""
    return os.path.join(cache_root(), "vm")


def saved_directory(path_hash: str) -> str:
    """Where the archives of what `destroy --force` saved lie."""
    return os.path.join(workspace_state(path_hash), "saved")


def ssh_directory(path_hash: str) -> str:
    """The keys and known hosts of a Workspace's ssh front."""
    return os.path.join(workspace_state(path_hash), "ssh")


def trust_file(directory_digest: str) -> str:
    """The trust record of the project directory with this digest (64 hex)."""
    return os.path.join(state_root(), "trust", directory_digest + ".json")


def podman_socket() -> str:
    """The private socket of a Podman service that devbox started."""
    return os.path.join(state_root(), "podman", "api.sock")


def private_directory(path: str) -> str:
    """Make `path` and its missing parents, each 0700 whatever the umask, and return it; may raise `OSError`."""
    missing = []
    while not os.path.isdir(path):
        missing.append(path)
        path = os.path.dirname(path)
    for part in reversed(missing):
        try:
            os.mkdir(part, 0o700)
            os.chmod(part, 0o700)
        except FileExistsError:
            continue
        path = part
    return missing[0] if missing else path
