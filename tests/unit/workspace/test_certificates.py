"""Which forms of the CA bundle an Environment gets."""

import stat
from pathlib import Path

import pytest

from devbox import paths
from devbox.build.truststore import truststore
from devbox.workspace.certificates import CA_TARGET, STORE_TARGET, certificates
from devbox.workspace.context import Workspace

PEM = b"-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    path.write_bytes(PEM)
    return path


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(directory=tmp_path, name="shop")


def test_the_hosts_own_file_is_seen_inside(workspace: Workspace, bundle: Path) -> None:
    found = certificates(workspace, bundle, java=False)
    assert found is not None
    assert found.files == ((str(bundle), CA_TARGET),)
    assert "MAVEN_OPTS" not in found.env
    assert not Path(paths.trust_store(workspace.hash)).exists()


def test_java_gets_a_store_that_follows_the_bundle(workspace: Workspace, bundle: Path) -> None:
    store = Path(paths.trust_store(workspace.hash))
    for content in (PEM, PEM.replace(b"AQE", b"AQI")):
        bundle.write_bytes(content)
        found = certificates(workspace, bundle, java=True)
        assert found is not None
        assert found.files == ((str(bundle), CA_TARGET), (str(store), STORE_TARGET))
        assert STORE_TARGET in found.env["MAVEN_OPTS"]
        assert store.read_bytes() == truststore(content)
        assert stat.S_IMODE(store.stat().st_mode) == 0o644


def test_without_a_place_for_the_store_java_has_the_images_own(workspace: Workspace, bundle: Path) -> None:
    state = Path(paths.trust_store(workspace.hash)).parent
    state.parent.mkdir(parents=True)
    state.write_text("a file where the directory should be")
    found = certificates(workspace, bundle, java=True)
    assert found is not None
    assert len(found.files) == 1
    assert "MAVEN_OPTS" not in found.env


def test_no_bundle_no_certificates(workspace: Workspace) -> None:
    assert certificates(workspace, None, java=True) is None
