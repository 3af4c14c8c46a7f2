"""The model of `devbox.toml`: every key, its type, default and grammar. Frozen; unknown keys are errors.

The field defaults are the one table of built-in defaults; `load` adds the name, which is the directory's.
"""

from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from devbox.profile.grammar import HostName, KeyName, Slug, Text, Unstrict, Variable, incomplete
from devbox.profile.later import Prod, Service, Vm
from devbox.profile.parts import (
    Base,
    Copy,
    Env,
    Managed,
    MountEntry,
    Network,
    Node,
    Packages,
    Part,
    Php,
    Port,
    PortEntry,
    Provision,
    Python,
    Resources,
    Secret,
    Task,
    TaskEntry,
    Toolchain,
    User,
)
from devbox.profile.several import DEFAULT
from devbox.profile.sync import OnChange, Sync

__all__ = [
    "Base",
    "Copy",
    "Env",
    "Machine",
    "Managed",
    "MountEntry",
    "Network",
    "Node",
    "OnChange",
    "Packages",
    "Part",
    "Php",
    "Port",
    "Prod",
    "Profile",
    "Provision",
    "Python",
    "Resources",
    "Secret",
    "Service",
    "Sync",
    "Task",
    "Toolchain",
    "User",
    "Vm",
]

RuntimeName = Literal["container", "vm"]
Isolation = Literal["standard", "strict"]
Ports = dict[KeyName, PortEntry]
Provisions = Annotated[tuple[Provision, ...], Unstrict]
Mounts = Annotated[tuple[MountEntry, ...], Unstrict]


class Machine(Part):
    """One of several Instances: the profile, with what it says merged on top; but it has ports of its own alone."""

    runtime: RuntimeName | None = None
    """container or vm."""
    isolation: Isolation | None = None
    """standard or strict."""
    base: Base | None = None
    """Where its root file system starts."""
    packages: Packages | None = None
    """What is installed."""
    user: User | None = None
    """Who works inside."""
    env: Env | None = None
    """Variables."""
    secrets: dict[Variable, Secret] | None = None
    """Secrets by variable name."""
    provision: Provisions | None = None
    """Provision steps."""
    ports: Ports | None = None
    """Declared ports by name."""
    services: dict[HostName, Service] | None = None
    """Services by host name."""
    mounts: Mounts | None = None
    """Host paths seen inside."""
    sync: Sync | None = None
    """How the project's files get inside."""
    resources: Resources | None = None
    """Limits."""
    network: Network | None = None
    """Certificates and reach."""
    vm: Vm | None = None
    """The virtual machine."""


class Profile(Part):
    """A whole profile, all layers merged."""

    name: Annotated[Slug | None, Field(examples=["shop"])] = None
    """The environment's name; default: the directory's."""
    extends: Annotated[tuple[Text, ...], Unstrict, Field(examples=[["python", "./team.toml"]])] = ()
    """Base profiles: names of the catalogue, paths in the project; later ones win."""
    runtime: RuntimeName = "container"
    """What runs it."""
    isolation: Isolation = "standard"
    """How far it is kept from the host."""
    base: Base = Base(image="debian:12")
    """Where the root file system starts."""
    packages: Packages = Packages()
    """What is installed."""
    user: User = User()
    """Who works inside."""
    env: Env = Env()
    """Variables."""
    secrets: dict[Variable, Secret] = Field(default_factory=dict)
    """References to secrets of the host, by the variable that they become."""
    provision: Provisions = ()
    """Provision steps, in order."""
    ports: Ports = Field(default_factory=dict)
    """Declared ports by name."""
    services: dict[HostName, Service] = Field(default_factory=dict)
    """Services by host name."""
    mounts: Mounts = ()
    """Host paths seen inside."""
    sync: Sync = Sync()
    """How the project's files get inside."""
    resources: Resources = Resources()
    """Limits."""
    network: Network = Network()
    """Certificates and reach."""
    vm: Vm = Vm()
    """The virtual machine."""
    tasks: dict[KeyName, TaskEntry] = Field(default_factory=dict)
    """Commands with a name, for `devbox run`."""
    prod: Prod | None = None
    """What production is."""
    machines: dict[HostName, Machine] = Field(default_factory=dict)
    """Several Instances of one project."""

    @model_validator(mode="after")
    def _no_clash(self) -> Self:
        _no_twins(
            "two mounts have this target", [(("mounts", n, "target"), m.target) for n, m in enumerate(self.mounts)]
        )
        _no_twins(
            "two provision steps have this name",
            [(("provision", n, "name"), step.name) for n, step in enumerate(self.provision) if step.name is not None],
        )
        _no_twins(
            "two ports want this port of the host",
            [(("ports", name, "host"), (port.host, port.protocol)) for name, port in self.ports.items() if port.host],
        )
        for name in self.env.values:
            if name in self.secrets or name in self.env.from_host:
                raise incomplete("is set here and comes from the host as well; keep one of them", at=("env", name))
        return self

    @model_validator(mode="after")
    def _free_names(self) -> Self:
        if DEFAULT in self.machines:
            raise incomplete("is what the profile itself is called; choose another name", at=("machines", DEFAULT))
        return self

    @model_validator(mode="after")
    def _tasks_of_rules(self) -> Self:
        for number, rule in enumerate(self.sync.on_change):
            if rule.run is not None and rule.run not in self.tasks:
                there = f"there are: {', '.join(self.tasks)}" if self.tasks else "there is none"
                raise incomplete(
                    f"there is no task {rule.run!r} below [tasks]; {there}", at=("sync", "on_change", number, "run")
                )
        return self


def _no_twins(complaint: str, values: Iterable[tuple[tuple[str | int, ...], object]]) -> None:
    seen: set[object] = set()
    for at, value in values:
        if value in seen:
            raise incomplete(f"{complaint}; change one of them", at=at)
        seen.add(value)
