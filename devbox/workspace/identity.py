"""Who the user inside is."""

from devbox.engine.base import EngineInfo
from devbox.profile.model import User
from devbox.values import GuestUser
from devbox.workspace.context import Host, Workspace

ROOT_HOME = "/root"


def guest_user(host: Host, workspace: Workspace, engine: EngineInfo, wanted: User) -> GuestUser:
    """Return the user inside: the caller's uid and gid; for root those of the directory's owner, be it root too.

    A rootless Docker maps its own user to root inside, and no other uid to anybody that owns the project.
    """
    uid, gid = host.uid, host.gid
    if uid == 0:
        status = workspace.directory.stat()
        uid, gid = status.st_uid, status.st_gid
    if uid == 0 or (engine.rootless and engine.name == "docker"):
        return GuestUser(name="root", uid=0, gid=0, home=ROOT_HOME, shell=wanted.shell)
    return GuestUser(name=wanted.name, uid=uid, gid=gid, home=f"/home/{wanted.name}", shell=wanted.shell)
