"""DevboxError and its families: every failure that devbox can explain.

Each class has a `code` (kebab-case, listed in docs/reference/errors.md) and an `exit_status`:
1 failure, 2 the user's input, 3 engine or machine unavailable, 130 interrupted. An exception that is
no DevboxError is a bug and keeps its traceback.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something wrong, tied to the key, path or step that the user must look at."""

    message: str
    key: str | None = None  # "packages.system[2]"
    file: str | None = None  # as the user would type it
    line: int | None = None  # counted from 1
    hint: str | None = None  # what to write instead


class DevboxError(Exception):
    """A failure that devbox can explain; shown without a traceback.

    `message`: what happened, to which thing; lower case, no full stop.
    `detail`: a foreign tool's own words, untouched. `hint`: imperative, the next command to type.
    `problems`: every single thing wrong, when there are several.
    """

    code: ClassVar[str] = "failure"
    exit_status: ClassVar[int] = 1

    def __init__(
        self, message: str, *, detail: str | None = None, hint: str | None = None, problems: Sequence[Problem] = ()
    ) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail
        self.hint = hint
        self.problems = tuple(problems)


class UsageError(DevboxError):
    """The command line asks for something that cannot be."""

    code = "usage"
    exit_status = 2


class ProfileError(DevboxError):
    """The profile, or a layer of it, cannot be used as it is written."""

    code = "profile-invalid"
    exit_status = 2


class NotInThisVersionError(DevboxError):
    """A key that the schema has and that this version does not carry out."""

    code = "not-in-this-version"
    exit_status = 2


class TrustRequiredError(DevboxError):
    """The profile asks for something that reaches the host, and nobody has agreed to it."""

    code = "trust-required"
    exit_status = 2


class PolicyError(DevboxError):
    """A request to the engine would give the environment more of the host than is allowed."""

    code = "policy-refused"
    exit_status = 2


class ProjectRefusedError(DevboxError):
    """The project directory is one that must never become an environment."""

    code = "project-refused"
    exit_status = 2


class ProfileExistsError(DevboxError):
    """`init` where a profile exists."""

    code = "profile-exists"
    exit_status = 2


class UndetectableError(DevboxError):
    """Nothing in a project without a profile says what environment it needs; the problems are what was seen."""

    code = "undetectable"
    exit_status = 2


class ContradictionError(DevboxError):
    """What the files of a project without a profile say cannot be read, or excludes each other."""

    code = "detection-contradiction"
    exit_status = 2


class BaseImageError(DevboxError):
    """The base cannot be had, or cannot carry an environment."""

    code = "base-unusable"
    exit_status = 1


class ToolchainError(DevboxError):
    """The base does not hold the version of a toolchain that the profile asks for."""

    code = "toolchain-unavailable"
    exit_status = 2


class BuildFailedError(DevboxError):
    """A build step ended with another status than 0."""

    code = "build-failed"


class ProvisionFailedError(DevboxError):
    """A provision step in the running environment failed."""

    code = "provision-failed"


class LockInvalidError(DevboxError):
    """A devbox.lock that cannot be read. `newer`: this devbox cannot, so it must not write it either."""

    code = "lock-invalid"
    exit_status = 2
    newer = False


class LockStaleError(DevboxError):
    """The devbox.lock does not fit the profile any more, and it must not be changed."""

    code = "lock-stale"


class LockGoneError(DevboxError):
    """What the devbox.lock names cannot be had any more.

    `packages`: names of the system packages that are gone; none if looking them up again would not help.
    """

    code = "lock-gone"
    packages: tuple[str, ...] = ()


class SecretMissingError(DevboxError):
    """A secret that a step needs has no value on this host."""

    code = "secret-missing"
    exit_status = 2


class CommandFailedError(DevboxError):
    """An external program failed; `detail` has its own words."""

    code = "command-failed"


class NotRunningError(DevboxError):
    """The environment is not running and the command does not start it."""

    code = "not-running"


class NotConfirmedError(DevboxError):
    """A destructive command without -f and without somebody to ask."""

    code = "not-confirmed"
    exit_status = 2


class UnsyncedError(DevboxError):
    """What is to be removed holds work that is nowhere else."""

    code = "unsynced-work"
    exit_status = 2


class ManifestError(DevboxError):
    """A file that should be a content manifest is none, or of a version that is not known here."""

    code = "manifest-invalid"
    exit_status = 2


class StateError(DevboxError):
    """A state file of devbox cannot be used, and nothing may be built over it."""

    code = "state-unusable"


class EngineError(DevboxError):
    """The engine refused or failed a request; `detail` has its own words."""

    code = "engine-error"


class EngineUnavailableError(DevboxError):
    """No container engine answers."""

    code = "engine-unavailable"
    exit_status = 3


class AgentError(DevboxError):
    """The agent of an environment does not answer, or says what no agent says."""

    code = "agent-error"


class CannotStartError(DevboxError):
    """A program cannot be started inside; `status` is the exit code that a shell has for it: 126 or 127."""

    code = "cannot-start"

    def __init__(self, message: str, *, status: int, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status


class EditorMissingError(DevboxError):
    """No editor that `devbox code` can open is on this host."""

    code = "editor-missing"
    exit_status = 3


class RegistryUnreachableError(DevboxError):
    """No registry answers for this reference; it may well exist."""

    code = "registry-unreachable"
    exit_status = 3


class RuntimeUnavailableError(DevboxError):
    """A runtime cannot be used on this machine."""

    code = "runtime-unavailable"
    exit_status = 3


class MachineError(DevboxError):
    """A machine does not come up, or has ended; `detail` has the last lines of its console."""

    code = "machine-failed"
    exit_status = 3


class StandstillError(MachineError):
    """A machine stands still, with nothing lost, since this host cannot write what it writes."""

    code = "machine-stands-still"


class UnattachedError(MachineError):
    """A machine runs and devbox is not inside it; `directory` is where its console is found."""

    code = "machine-unattached"

    def __init__(self, message: str, *, directory: str, detail: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, detail=detail, hint=hint)
        self.directory = directory


class SnapshotError(DevboxError):
    """A snapshot cannot be saved, or cannot be restored; what is there has not been touched."""

    code = "snapshot-failed"


class PortTakenError(DevboxError):
    """A port of this host, and all after it that were tried, are taken."""

    code = "port-taken"


class PortDeniedError(DevboxError):
    """The system does not let this user listen on a port or address of this host."""

    code = "port-denied"
    exit_status = 2


class SupervisorError(DevboxError):
    """The Supervisor of an Environment does not start, or does not answer."""

    code = "supervisor-failed"


class SyncError(DevboxError):
    """Files cannot be kept in sync, or what was asked of it cannot be done."""

    code = "sync-failed"


class InterruptedByUserError(DevboxError):
    """Interrupted by a signal; what was begun has been cleaned up."""

    code = "interrupted"
    exit_status = 130
