"""The model of `devbox.toml`: every key, its type, default and grammar. Frozen; unknown keys are errors."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class Part(BaseModel):
    """A table of the profile: frozen, strict types (TOML `true` is no port), no unknown key."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Base(Part):
    """Where the root file system starts. Exactly one of `image`, `dockerfile`, `disk`."""

    image: str | None = None
    dockerfile: str | None = None
    target: str | None = None
    disk: str | None = None
    sha256: str | None = None


class Python(Part):
    """A virtual environment at /opt/venv. `requirements`: requirement files, or "pyproject.toml"."""

    version: str | None = None
    requirements: tuple[str, ...] = ()
    editable: bool = False


class Node(Part):
    """Node.js and, where the repo has a lock file, its packages. `install` replaces the command chosen from it."""

    version: str | None = None
    install: str | None = None


class Toolchain(Part):
    """A toolchain of a later version."""

    version: str | None = None


class Packages(Part):
    """What is installed."""

    system: tuple[str, ...] = ()
    python: Python | None = None
    node: Node | None = None
    go: Toolchain | None = None
    rust: Toolchain | None = None
    java: Toolchain | None = None
    ruby: Toolchain | None = None
    php: Toolchain | None = None
    c: Toolchain | None = None


class User(Part):
    """Who works inside; the ids are those of whoever runs devbox."""

    name: str = "dev"
    shell: str = "bash"
    workdir: str | None = None


class Env(BaseModel):
    """`[env]`: NAME = "value", and `from_host`, the names taken from the host (needs trust)."""

    values: dict[str, str] = {}
    from_host: tuple[str, ...] = ()


class Secret(Part):
    """A reference to a secret on the host: exactly one of `env` (a variable) and `file` (a path)."""

    env: str | None = None
    file: str | None = None


class Copy(Part):
    """Files of the repo put into the environment."""

    source: Annotated[str, Field(alias="from")]
    target: Annotated[str, Field(alias="to")]


class Provision(Part):
    """One provision step. Exactly one of `run`, `script`, `copy`, `ansible`."""

    name: str | None = None
    run: str | None = None
    script: str | None = None
    copy_: Annotated[Copy | None, Field(alias="copy")] = None
    ansible: str | None = None
    when: Literal["build", "create", "start", "attach"] = "create"
    repeat: Literal["once", "always", "on-change"] = "once"


class Port(Part):
    """One declared port; `web = 8000` is short for `{ guest = 8000 }`. `host`: the same if None, any if 0."""

    guest: int
    host: int | None = None
    protocol: Literal["tcp", "udp"] = "tcp"
    expose: Literal["loopback", "lan"] = "loopback"


class MountEntry(Part):
    """A host path seen inside; one outside the repo needs trust."""

    source: str
    target: str
    read_only: bool = False


class Resources(Part):
    """Limits. Sizes are strings with a unit."""

    cpus: float | int | None = None
    memory: str | None = None
    disk: str | None = None
    pids: int | None = None
    gpus: Literal["all"] | None = None
    devices: tuple[str, ...] = ()


class Network(Part):
    """`ca_bundle`: the CA certificates inside: host | none | a path in the repo. `allow`: strict isolation only."""

    ca_bundle: str = "host"
    allow: tuple[str, ...] = ()


class Profile(Part):
    """A whole profile, all layers merged."""

    name: str | None = None
    extends: tuple[str, ...] = ()
    runtime: Literal["container", "vm"] = "container"
    isolation: Literal["standard", "strict"] = "standard"
    base: Base = Base(image="debian:12")
    packages: Packages = Packages()
    user: User = User()
    env: Env = Env()
    secrets: dict[str, Secret] = {}
    provision: tuple[Provision, ...] = ()
    ports: dict[str, Port] = {}
    mounts: tuple[MountEntry, ...] = ()
    resources: Resources = Resources()
    network: Network = Network()
    # services, sync, vm, tasks, prod, machines: see the helper's brief
