"""The CA bundle of a Workspace as its Environment sees it: the host's file, and a copy in the form that Java reads."""

from pathlib import Path

from devbox import paths
from devbox.build.ca import java_variables, read_bundle, variables
from devbox.build.truststore import truststore
from devbox.workspace.context import Workspace
from devbox.workspace.spec import Certificates

CA_TARGET = "/usr/local/share/devbox/ca.pem"
STORE_TARGET = "/usr/local/share/devbox/ca.jks"


def certificates(workspace: Workspace, bundle: Path | None, *, java: bool) -> Certificates | None:
    """Return what the Environment gets of `bundle`; None for none. For Java a file in the Workspace's state is made."""
    if bundle is None:
        return None
    files = [(str(bundle.resolve()), CA_TARGET)]
    env = variables(CA_TARGET)
    if java and (store := _store(workspace, bundle)):
        files.append((store, STORE_TARGET))
        env |= java_variables(STORE_TARGET)
    return Certificates(files=tuple(files), env=env)


def _store(workspace: Workspace, bundle: Path) -> str | None:
    """Write the trust store where it is not there yet; in place, since a running Environment sees this very file.

    None where it cannot be written: Java then has the image's own certificates.
    """
    path = Path(paths.trust_store(workspace.hash))
    wanted = truststore(read_bundle(bundle) or b"")
    try:
        paths.private_directory(str(path.parent))
        if not path.is_file() or path.read_bytes() != wanted:
            path.write_bytes(wanted)
            path.chmod(0o644)  # whoever the user inside is
    except OSError:
        return None
    return str(path.resolve())
