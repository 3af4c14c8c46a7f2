"""The tables of a profile that this version carries out. Frozen, strict, no unknown key."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    model_serializer,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from devbox.profile.grammar import (
    Command,
    Cpus,
    Device,
    Domain,
    GuestPort,
    HostPath,
    HostPort,
    HostVariable,
    ImageReference,
    InsidePath,
    KeyName,
    Memory,
    MountTarget,
    PhpExtension,
    Pids,
    RepoPath,
    Sha256,
    Shell,
    Size,
    Stage,
    SystemPackage,
    Text,
    Unstrict,
    UserName,
    Variable,
    Version,
    incomplete,
)


class Part(BaseModel):
    """A table of the profile: frozen, strict types (TOML `true` is no port), no unknown key."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", defer_build=True)


def exactly_one(part: BaseModel, *names: str) -> None:
    """Raise unless exactly one of the keys `names` is set. A trailing `_` of an attribute is no part of its key."""
    given = [name for name in names if getattr(part, name) is not None]
    if len(given) == 1:
        return
    keys = [name.rstrip("_") for name in names]
    if given:
        first, second = (name.rstrip("_") for name in given[:2])
        raise incomplete(f"{first} and {second} exclude each other; keep one of them")
    raise incomplete(f"says nothing yet; write one of: {', '.join(keys)}")


class Base(Part):
    """Where the root file system starts. Exactly one of `image`, `dockerfile`, `disk`."""

    image: Annotated[ImageReference | None, Field(examples=["debian:12"])] = None
    """An image of a registry or of the engine; `debian:11|12|13|sid` can also be made from the archive."""
    dockerfile: Annotated[RepoPath | None, Field(examples=["Dockerfile"])] = None
    """A Dockerfile of the project; needs trust."""
    target: Stage | None = None
    """The stage of the Dockerfile."""
    disk: HostPath | None = None
    """A disk with a system on it (runtime vm): a path, or an http(s) address; raw or qcow2; needs trust."""
    sha256: Sha256 | None = None
    """The SHA-256 of the disk's file; required for an address."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        exactly_one(self, "image", "dockerfile", "disk")
        if self.target is not None and self.dockerfile is None:
            raise incomplete("target is a stage of a dockerfile, and there is none; write it as well", at=("target",))
        if self.sha256 is not None and self.disk is None:
            raise incomplete(
                "sha256 is that of a disk, and there is none; an image is pinned as name@sha256:...", at=("sha256",)
            )
        return self


class Python(Part):
    """A virtual environment at /opt/venv."""

    version: Annotated[Version | None, Field(examples=["3.11", ">=3.10,<3.13"])] = None
    """A version, or a range of them; default: the distribution's own."""
    requirements: Annotated[tuple[RepoPath, ...], Unstrict, Field(examples=[["requirements.txt"]])] = ()
    """Requirement files, "pyproject.toml", or lock files of the repo's own, as "uv.lock"."""
    extras: Annotated[tuple[KeyName, ...], Unstrict, Field(examples=[["test"]])] = ()
    """Extras of the project, whose packages are installed too."""
    groups: Annotated[tuple[KeyName, ...], Unstrict, Field(examples=[["dev"]])] = ()
    """Dependency groups of the project, whose packages are installed too."""
    editable: bool = False
    """Install the project itself, so that its sources are used as they are."""


class Node(Part):
    """Node.js and, where the project has a lock file, its packages."""

    version: Annotated[Version | None, Field(examples=["20", "18 || 20"])] = None
    """A version, or a range of them; default: the distribution's own."""
    install: Annotated[Command | None, Field(examples=["npm ci"])] = None
    """The command that installs the packages, in place of the one chosen from the lock file."""


class Toolchain(Part):
    """A language's compiler and tools."""

    version: Version | None = None
    """A version, or a range of them; default: the distribution's own."""


class Managed(Toolchain):
    """A language with a package manager: its toolchain and, where the project has manifests, its packages."""

    install: Command | None = None
    """The command that fetches the packages, in place of the one chosen from the manifests."""


class Php(Managed):
    """PHP, its extensions and, where the project has a composer.json, its packages."""

    extensions: Annotated[tuple[PhpExtension, ...], Unstrict, Field(examples=[["intl", "gd"]])] = ()
    """Extensions beside those that the project's own manifests ask for."""


class Packages(Part):
    """What is installed."""

    system: Annotated[tuple[SystemPackage, ...], Unstrict, Field(examples=[["libpq-dev", "less"]])] = ()
    """Packages of the base's own package manager: "name", "name=version", "name:arch"."""
    python: Python | None = None
    """Python, its virtual environment and packages."""
    node: Node | None = None
    """Node.js and its packages."""
    go: Managed | None = None
    """Go."""
    rust: Managed | None = None
    """Rust."""
    java: Managed | None = None
    """Java."""
    ruby: Managed | None = None
    """Ruby."""
    php: Php | None = None
    """PHP."""
    c: Toolchain | None = None
    """C and C++."""


class User(Part):
    """Who works inside; the ids are those of whoever runs devbox."""

    name: UserName = "dev"
    """The name inside."""
    shell: Annotated[Shell, Field(examples=["bash", "zsh"])] = "bash"
    """The shell of `devbox shell`."""
    workdir: InsidePath | None = None
    """Where commands start; default: the project, /workspaces/<directory name>."""


class Env(BaseModel):
    """`[env]`: NAME = "value", and `from_host`, the names taken from the host (needs trust)."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", defer_build=True)

    values: dict[Variable, Text] = {}
    """The variables by name."""
    from_host: Annotated[tuple[Variable, ...], Unstrict, Field(examples=[["AWS_PROFILE"]])] = ()
    """Names of variables whose value is the host's."""

    @model_validator(mode="before")
    @classmethod
    def _split(cls, given: object) -> object:
        if not isinstance(given, Mapping) or isinstance(given.get("values"), Mapping):
            return given
        parts: dict[str, object] = {"values": {name: value for name, value in given.items() if name != "from_host"}}
        if "from_host" in given:
            parts["from_host"] = given["from_host"]
        return parts

    @model_serializer
    def _join(self) -> dict[str, Any]:
        return {**self.values, "from_host": list(self.from_host)}

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Describe the table as it is written: variables beside `from_host`."""
        schema = handler.resolve_ref_schema(handler(core_schema))
        from_host = schema["properties"]["from_host"]
        return {
            "title": "Env",
            "type": "object",
            "description": cls.__doc__,
            "properties": {"from_host": from_host},
            "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
            "additionalProperties": {"type": "string"},
        }


class Secret(Part):
    """A reference to a secret on the host: exactly one of `env` (a variable) and `file` (a path)."""

    env: Annotated[HostVariable | None, Field(examples=["NPM_TOKEN"])] = None
    """The variable of the host that holds it."""
    file: Annotated[HostPath | None, Field(examples=["~/.npmrc"])] = None
    """The file of the host that holds it."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        exactly_one(self, "env", "file")
        return self


class Copy(Part):
    """Files of the project put into the environment."""

    source: Annotated[RepoPath, Field(alias="from", examples=["config/app.ini"])]
    """A file or directory of the project."""
    target: Annotated[InsidePath, Field(alias="to", examples=["/etc/app.ini"])]
    """Where it goes inside."""


class Provision(Part):
    """One provision step. Exactly one of `run`, `script`, `copy`, `ansible`."""

    name: Text | None = None
    """What the step is called; a later layer's step of the same name takes its place."""
    run: Annotated[Command | None, Field(examples=["psql -f schema.sql"])] = None
    """A shell command."""
    script: Annotated[RepoPath | None, Field(examples=["scripts/setup.sh"])] = None
    """A script of the project."""
    copy_: Annotated[Copy | None, Field(alias="copy")] = None
    """Files of the project to put inside."""
    ansible: RepoPath | None = None
    """A playbook of the project."""
    when: Literal["build", "create", "start", "attach"] = "create"
    """build: into the image; create: when the environment is made; start, attach: each time."""
    repeat: Literal["once", "always", "on-change"] = "once"
    """Whether it runs again."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        exactly_one(self, "run", "script", "copy_", "ansible")
        return self


class Port(Part):
    """One declared port; `web = 8000` is short for `{ guest = 8000 }`."""

    guest: GuestPort
    """The port inside."""
    host: HostPort | None = None
    """The port on the host; default: the same number, the next free one if that is taken; 0: any free one."""
    protocol: Literal["tcp", "udp"] = "tcp"
    """The protocol."""
    expose: Literal["loopback", "lan"] = "loopback"
    """Who can reach it: this machine alone, or everybody on its networks (needs trust)."""


def _long_port(given: object) -> object:
    if isinstance(given, int) and not isinstance(given, bool):
        return {"guest": given}
    if isinstance(given, Mapping | Port):
        return given
    raise ValueError("not a port; write a number from 1 to 65535 without quotes, or { guest = 8000, host = 9000 }")


PortEntry = Annotated[
    Port,
    BeforeValidator(_long_port, json_schema_input_type=Annotated[int, Field(ge=1, le=65535)] | Port),
]


class MountEntry(Part):
    """A host path seen inside; one outside the project needs trust."""

    source: Annotated[HostPath, Field(examples=["./data"])]
    """A path on the host, relative to the project."""
    target: Annotated[MountTarget, Field(examples=["/data"])]
    """Where it is seen inside."""
    read_only: bool = False
    """Nothing inside can write to it."""


class Resources(Part):
    """Limits. Sizes are text with a unit."""

    cpus: Annotated[Cpus | None, Field(examples=[2])] = None
    """Cores; default: all, and for a machine (runtime vm) at most 2."""
    memory: Annotated[Memory | None, Field(examples=["2 GiB"])] = None
    """Memory; default: all, and for a machine (runtime vm) 2 GiB."""
    disk: Annotated[Size | None, Field(examples=["20 GiB"])] = None
    """Size of the disk (runtime vm)."""
    pids: Pids = 4096
    """How many processes may run."""
    gpus: Literal["all"] | None = None
    """Graphics processors of the host; needs trust."""
    devices: Annotated[tuple[Device, ...], Unstrict, Field(examples=[["/dev/kvm"]])] = ()
    """Devices of the host; each needs trust."""


class Network(Part):
    """Certificates and reach."""

    ca_bundle: Annotated[HostPath, Field(examples=["host", "none", "certs/company.pem"])] = "host"
    """The CA certificates inside: host (the host's own bundle), none, or a file (outside the project: needs trust)."""
    allow: Annotated[tuple[Domain, ...], Unstrict, Field(examples=[["registry.example"]])] = ()
    """The hosts that can be reached under isolation strict."""


class Task(Part):
    """A command with a name; `test = "pytest -q"` is short for `{ run = "pytest -q" }`."""

    run: Annotated[Command, Field(examples=["pytest -q"])]
    """The command, as /bin/sh reads it."""
    needs: Annotated[tuple[KeyName, ...], Unstrict, Field(examples=[["lint"]])] = ()
    """Tasks that run before it, in this order, each once."""


def _long_task(given: object) -> object:
    if isinstance(given, str):
        return {"run": given}
    if isinstance(given, Mapping | Task):
        return given
    raise ValueError('not a task; write its command in quotes, or { run = "...", needs = ["..."] }')


TaskEntry = Annotated[Task, BeforeValidator(_long_task, json_schema_input_type=str | Task)]
