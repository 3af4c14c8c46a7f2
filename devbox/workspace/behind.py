"""What runs is changed first, and the Image is made behind it, by a process of its own.

The installation that people wait for then has the processor to itself, and nobody waits for a layer that is needed only
when the Environment is made anew. Until it is there the Record says what was brought to which Lock (`behind`); whoever
needs the Image before, or after that process was killed, makes it by the same plan.
"""

from pathlib import Path

from devbox import paths
from devbox.errors import DevboxError
from devbox.hot.inputs import FAULT
from devbox.profile.explain import digest
from devbox.profile.lock import Lock, Platform
from devbox.record import RecordFromTheFuture, read
from devbox.runtimes.base import InstanceState
from devbox.supervisor.deeds import devbox_argv
from devbox.workspace.build import planned_image
from devbox.workspace.checked import Checked, checked
from devbox.workspace.context import Host, Workspace
from devbox.workspace.entry import hot_fields
from devbox.workspace.find import current, instances
from devbox.workspace.live import change_in_place
from devbox.workspace.located import located
from devbox.workspace.locks import architecture, lock_book, lock_digest, platform_digest
from devbox.workspace.plan import fitted
from devbox.workspace.prepared import now
from devbox.workspace.preparing import plan_hot
from devbox.workspace.signature import Since
from devbox.workspace.state import State, locked
from devbox.workspace.syncing import is_synced
from devbox.workspace.up import UnfitError, bring_up, spec_of

VERB = "settle"  # hidden; what makes the Image
_COMMAND = "devbox add or remove, whose image is being made"


def change_first(host: Host, workspace: Workspace, edited: dict[str, str], command: str) -> bool:
    """Bring what runs to the profile as it is now, lock that, and have the Image made behind.

    `edited`: the files that were edited for it, with their texts. False if that cannot be: nothing is locked then, and
    what runs may have to be made anew, which is said.
    """
    began = now()
    order = checked(host, workspace)
    with located(order.loaded), locked(host, workspace, command) as state:
        known, actual = state.read(), instances(host, workspace)
        if state.directory is None or known is None or len(actual) != 1:
            return False  # nobody could remember what runs
        instance = actual[0]
        fits, image = fitted(instance, known)
        before = _platform(host, workspace, order)
        with planned_image(host, workspace, order, image=image) as (made, keep):
            spec = spec_of(host, workspace, order, made)
            if spec.digest != fits:
                return False  # more than packages has to change
            with host.reporter.step("install into the running environment"):
                failure = change_in_place(instance, made.user, before, made.platform)
            if failure:
                host.reporter.warn(f"it did not go into what runs ({failure}), so the environment is made anew")
                return False
            written = keep()
        hot = plan_hot(host, workspace, order.loaded, made, spec=spec, synced=is_synced(instance))
        since = Since(at=began, written={**written, **edited})
        fields = hot_fields(host, workspace, hot if known["boot"] else None, instance, ports=(), began=since)
        names = ("project", "engine", "instance", "image", "spec", "adopted", *(("ports",) if fields else ()))
        same = {name: known[name] for name in names}  # packages change neither
        digests = {"profile": digest(order.loaded.profile), "lock": lock_digest(host, workspace)}
        state.write({**fields, **same, **digests, "behind": platform_digest(made.platform)})
        _follow(host, workspace, state)
    return True


def settle(host: Host, workspace: Workspace, held: int) -> None:
    """Make the Image that what runs was brought to, and remember that it fits; nothing if there is none to make.

    `held`: the descriptor by which the Workspace is held. What runs is never changed. If the Image cannot be made, the
    next `up` does not take the hot path, and says why.
    """
    try:
        known = read(paths.record_file(workspace.hash))
        instance = current(host, workspace)
        if known is None or not known["behind"] or instance is None or instance.state is not InstanceState.RUNNING:
            return
        try:
            bring_up(host, workspace, flags=None, command=_COMMAND, editing=True, settling=held)
        except DevboxError:
            with locked(host, workspace, _COMMAND, held=held) as state:
                state.write({**known, "plan": ""})
            raise
    except (UnfitError, RecordFromTheFuture) as error:
        host.reporter.note(f"the image was not taken over: {error}")  # somebody has changed the profile meanwhile


def _platform(host: Host, workspace: Workspace, order: Checked) -> Platform:
    lock = lock_book(host, workspace, order.loaded).read() or Lock()
    return lock.platforms.get(architecture(host.engine.info.architecture), Platform())


def _follow(host: Host, workspace: Workspace, state: State) -> None:
    """Start what makes the Image; it takes over the Workspace's lock, so that nobody comes between."""
    log = Path(paths.settle_log(workspace.hash))
    which = ("-m", workspace.machine) if workspace.machine else ()
    argv = devbox_argv("-C", str(workspace.directory), VERB, *which, "--lock", str(state.lock))
    try:
        log.unlink(missing_ok=True)
        host.processes.start(argv, env={FAULT: ""}, log=log, inherit=(state.lock,))
    except (DevboxError, OSError) as error:
        host.reporter.debug(f"the image is made when it is needed: {error}")
