"""How the agent's program gets into a container: by a mount, or as the top layer of an image."""

import contextlib
import hashlib
import io
import json
import os
import shutil
import stat
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from devbox import paths
from devbox.agent import program
from devbox.engine.base import Engine
from devbox.errors import EngineError, RuntimeUnavailableError, StateError
from devbox.faults import fault
from devbox.runtimes.base import AgentSpec, InstanceSpec
from devbox.values import LABEL_IMAGE, LABEL_ROLE, ROLE_AGENT, printable

_ARCHITECTURES: Final = {"amd64": "x86_64", "x86_64": "x86_64", "arm64": "aarch64", "aarch64": "aarch64"}
_DOCKERFILE: Final = "Dockerfile"


def architecture(name: str) -> str:
    """Return the agent's word for an engine's architecture; `RuntimeUnavailableError` if there is no agent for it."""
    found = _ARCHITECTURES.get(name)
    if found is None:
        raise RuntimeUnavailableError(
            f"there is no agent for the engine's architecture {printable(name)!r}",
            hint="use an engine on x86_64 or aarch64",
        )
    return found


def deliver(agent: AgentSpec, engine: Engine) -> None:
    """Have `agent`'s program and its directory on this host, just before they are mounted; does nothing twice.

    The program is a copy under the name of its build, so that an upgrade of devbox never takes it from under a
    container. Raises `StateError` if something else stands where the directory has to be.
    """
    if not agent.directory:
        return
    try:
        _private(agent.directory)
        if not os.path.exists(agent.program):  # noqa: PTH110 (paths are text)
            _require_known(agent)
            _copy(program.binary(architecture(engine.info.architecture)), Path(agent.program))
    except OSError as error:
        place = error.filename or agent.directory
        raise StateError(
            f"the agent cannot be put at {printable(str(place))}: {(error.strerror or str(error)).lower()}",
            hint="set XDG_STATE_HOME to a directory that is yours and can be written to",
        ) from error


def _require_known(agent: AgentSpec) -> None:
    if agent.build != program.build_id():
        raise StateError(
            f"the agent that the container was made with is gone from {printable(agent.program)}",
            hint="devbox destroy, then: devbox up",
        )


def _private(directory: str) -> None:
    paths.private_directory(directory)
    if os.lstat(directory).st_uid != os.geteuid() or _is_blocked(directory):
        _set_aside(directory)
    found = os.lstat(directory)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise StateError(
            f"{printable(directory)} is not a directory of yours", hint="look at it, then move it out of the way"
        )
    if stat.S_IMODE(found.st_mode) != 0o700:
        os.chmod(directory, 0o700)  # noqa: PTH101


def _is_blocked(directory: str) -> bool:
    """Whether a directory stands where the socket is to be: the agent replaces everything else."""
    try:
        return stat.S_ISDIR(os.lstat(f"{directory}/{paths.AGENT_SOCKET}").st_mode)
    except OSError:
        return False


def _set_aside(directory: str) -> None:
    """Make room for one that is ours: root inside can give the directory away, and would have locked us out for good.

    What is in it stays for whoever wants to look.
    """
    number = 1
    while os.path.lexists(aside := f"{directory}.foreign-{number}"):
        number += 1
    with contextlib.suppress(OSError):
        Path(directory).rename(aside)
        paths.private_directory(directory)
    with contextlib.suppress(OSError):
        Path(aside).rmdir()


def _copy(source: Path, target: Path) -> None:
    paths.private_directory(str(target.parent))
    draft = target.with_name(f"{target.name}.{os.getpid()}")
    try:
        shutil.copyfile(source, draft)
        draft.chmod(0o755)
        fault("put agent")
        draft.rename(target)
        fault("agent put")
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()


def layered_image(engine: Engine, spec: InstanceSpec) -> str:
    """Return the id of `spec.image` with the agent as its top layer, made if need be; and the files that it is to see.

    The layer is outside of every step's digest; it carries the labels of `spec`, so prune finds it.
    """
    files = [(share.target, Path(share.source).read_bytes()) for share in spec.shares if share.file]
    own = hashlib.sha256(b"".join(target.encode() + data for target, data in files)).hexdigest()[:8]
    tag = f"devbox-agent/{spec.name}:{spec.agent.build}" + (f"-{own}" if files else "")
    found = engine.image(tag)
    if found is None or found.labels.get(LABEL_IMAGE) != spec.image:
        below = engine.image(spec.image)
        # What the image below says of itself, as a step of a build, is not true of this one.
        inherited = dict.fromkeys((name for name in (below.labels if below else ()) if name.startswith("devbox.")), "")
        labels = {**inherited, **dict(spec.labels), LABEL_ROLE: ROLE_AGENT, LABEL_IMAGE: spec.image}
        binary = program.binary(architecture(engine.info.architecture))
        context = _context(spec.image, binary.read_bytes(), files)
        for _ in engine.build_classic(context, dockerfile=_DOCKERFILE, target=None, tag=tag, labels=labels):
            pass
        found = engine.image(tag)
    if found is None:
        raise EngineError(f"the image {tag} was gone as soon as it was made", hint="run: devbox up")
    return found.id


def _context(image: str, binary: bytes, files: Sequence[tuple[str, bytes]]) -> Iterator[bytes]:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        copies = [f"COPY {json.dumps([f'file{number}', target])}" for number, (target, _) in enumerate(files)]
        text = "\n".join([f"FROM {image}", "COPY devbox/ /run/devbox/", *copies, ""])
        _add(tar, _DOCKERFILE, text.encode(), mode=0o644)
        for number, (_, data) in enumerate(files):
            _add(tar, f"file{number}", data, mode=0o644)
        for name in ("devbox", "devbox/socket"):
            directory = tarfile.TarInfo(name)
            directory.type, directory.mode = tarfile.DIRTYPE, 0o700
            tar.addfile(directory)
        _add(tar, "devbox/agent", binary, mode=0o755)
    yield buffer.getvalue()


def _add(tar: tarfile.TarFile, name: str, data: bytes, *, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), mode
    tar.addfile(entry, io.BytesIO(data))
