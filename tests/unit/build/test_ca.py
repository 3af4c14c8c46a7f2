"""Which certificates get inside."""

from pathlib import Path

import pytest

from devbox.build.ca import find_bundle, java_variables, read_bundle, variables
from devbox.errors import ProfileError

PEM = b"-----BEGIN CERTIFICATE-----\n"


def test_none_is_none(tmp_path: Path) -> None:
    assert find_bundle("none", directory=tmp_path, environ={"SSL_CERT_FILE": "/x"}) is None
    assert read_bundle(None) is None


def test_the_hosts_own_choice_comes_first(tmp_path: Path) -> None:
    bundle = tmp_path / "host.pem"
    bundle.write_bytes(PEM)
    found = find_bundle("host", directory=tmp_path, environ={"SSL_CERT_FILE": str(bundle)})
    assert found == bundle
    assert read_bundle(found) == PEM


def test_a_variable_that_names_no_bundle_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("")
    found = find_bundle("host", directory=tmp_path, environ={"SSL_CERT_FILE": str(tmp_path / "empty")})
    assert found != tmp_path / "empty"


def test_a_file_of_the_project(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(PEM)
    assert find_bundle("ca.pem", directory=tmp_path, environ={}) == (tmp_path / "ca.pem").resolve()


@pytest.mark.parametrize("name", ["missing.pem", "empty.pem", "out.pem"])
def test_a_file_that_cannot_be_one_is_refused(tmp_path: Path, name: str) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / "real.pem").write_bytes(PEM)
    (project / "empty.pem").write_text("")
    (project / "out.pem").symlink_to("../real.pem")
    with pytest.raises(ProfileError) as caught:
        find_bundle(name, directory=project, environ={})
    assert caught.value.problems[0].key == "network.ca_bundle"


def test_all_the_usual_programs_are_told() -> None:
    assert set(variables("/x").values()) == {"/x"}
    assert {"SSL_CERT_FILE", "PIP_CERT", "NODE_EXTRA_CA_CERTS"} <= set(variables("/x"))


def test_javas_build_tools_are_told_of_its_own_form() -> None:
    assert java_variables("/x.jks") == dict.fromkeys(("MAVEN_OPTS", "GRADLE_OPTS"), "-Djavax.net.ssl.trustStore=/x.jks")
