"""`up` of inputs that have not changed since the last one: no profile, no build, no engine SDK.

Every doubt ends here with None, and the whole `up` does the work. What is done here is done by the same code:
reconcile and apply, on the same labels, under the same lock.
"""

from dataclasses import replace

from devbox.engine.endpoint import Endpoint
from devbox.engine.lean import LeanEngine
from devbox.runtimes.registry import runtime
from devbox.values import LABEL_ROLE, LABEL_WORKSPACE, ROLE_ENVIRONMENT
from devbox.workspace.apply import apply
from devbox.workspace.context import Host, Workspace
from devbox.workspace.entry import hot_fields
from devbox.workspace.find import instances
from devbox.workspace.outcome import UpResult
from devbox.workspace.plan import adoption, reconcile, seen
from devbox.workspace.ports import give
from devbox.workspace.prepared import Prepared, now, recall, remember
from devbox.workspace.replaced import is_replaced
from devbox.workspace.signature import Since
from devbox.workspace.state import locked
from devbox.workspace.syncing import begin

_UNIX = "unix://"


def quick_up(host: Host, workspace: Workspace) -> UpResult | None:
    """Bring the Environment up as it was worked out before; None if that does not hold any more."""
    began = Since(at=now())
    recalled = recall(host.environ, workspace, uid=host.uid, gid=host.gid)
    if recalled is None:
        return None
    prepared = recalled.prepared
    if not prepared.engine.url.startswith(_UNIX) or prepared.engine.name != "docker":
        return None
    here = _with_engine(host, prepared)
    with locked(here, workspace, "devbox up") as state:
        known = state.read()  # one of a newer devbox ends it here
        if not prepared.holds(here.engine) or _has_leftovers(here, workspace):
            return None
        spec, actual = prepared.spec, instances(here, workspace)
        plan = reconcile(spec, [seen(one, known, replaced=is_replaced(here, workspace, one)) for one in actual])
        backend = runtime("container", engine=here.engine, processes=here.processes, reporter=here.reporter)
        applied = apply(here, workspace, backend, spec=spec, plan=plan, actual=actual)
        instance = applied.instance
        made = {
            "instance": instance.id,
            "image": instance.image,
            "spec": instance.spec_digest,
            "adopted": adoption(spec, instance),
        }
        digests = {"profile": prepared.profile, "lock": prepared.lock}
        synced = begin(here, workspace, prepared.sync, identity=instance.spec_digest)
        given = give(here, workspace, prepared.ports, identity=instance.spec_digest)
        if recalled.revised:
            remember(here, workspace, prepared, files=recalled.files, began=began)
        hot = hot_fields(here, workspace, prepared.hot, instance, ports=given.ports, began=began)
        state.write({"project": str(workspace.directory), "engine": prepared.engine.url, **made, **digests, **hot})
    done = applied.done or (*synced.done, *given.done)
    return UpResult(
        changed=bool(done),
        done=done,
        name=instance.name,
        instance=instance.id,
        image=instance.image,
        ports=given.ports,
    )


def _has_leftovers(host: Host, workspace: Workspace) -> bool:
    """Whether a build that was killed left a container; the whole `up` removes it."""
    found = host.engine.containers({LABEL_WORKSPACE: workspace.hash})
    return any(one.labels.get(LABEL_ROLE) != ROLE_ENVIRONMENT for one in found)


def _with_engine(host: Host, prepared: Prepared) -> Host:
    info = prepared.engine
    endpoint = Endpoint(url=info.url, source=info.source, address=info.url)
    lean = LeanEngine(endpoint, host.reporter, full=host.connect, known=(info, prepared.api))
    return replace(host, connect=lambda: lean)
