"""Which CA certificates get inside: the host's own bundle, so that a company's proxy works there as well."""

import ssl
from collections.abc import Mapping
from pathlib import Path

from devbox.build import confined
from devbox.build.recipe import RUN_DIRECTORY
from devbox.errors import Problem, ProfileError
from devbox.values import format_size

PATH_IN_STEPS = RUN_DIRECTORY + "/ca.pem"
STORE_IN_STEPS = RUN_DIRECTORY + "/ca.jks"
VARIABLES = (
    "SSL_CERT_FILE",
    "PIP_CERT",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
    "CARGO_HTTP_CAINFO",
)
JAVA_VARIABLES = ("MAVEN_OPTS", "GRADLE_OPTS")  # JAVA_TOOL_OPTIONS would have every JVM say so on its stderr
PLACES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora and its kin
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # macOS, BSD
)
_LIMIT = 8 * 1024**2
_BEGIN = b"-----BEGIN"


def find_bundle(setting: str, *, directory: Path, environ: Mapping[str, str]) -> Path | None:
    """Return the file that `network.ca_bundle` means, or None for none.

    "host": what SSL_CERT_FILE names, else the system's bundle, else none. "none": none. Anything else is a path in
    the project; `ProfileError` if it cannot be used.
    """
    if setting == "none":
        return None
    if setting != "host":
        return _of_project(setting, directory)
    named = environ.get("SSL_CERT_FILE", "")
    system = ssl.get_default_verify_paths().openssl_cafile
    for place in (named, *PLACES, system):
        if place.startswith("/") and _is_bundle(Path(place)):
            return Path(place)
    return None


def read_bundle(path: Path | None) -> bytes | None:
    """Return the certificates of a bundle that `find_bundle` returned."""
    return None if path is None else path.read_bytes()


def variables(path: str) -> dict[str, str]:
    """Return the variables that make the usual programs use the bundle at `path`."""
    return dict.fromkeys(VARIABLES, path)


def java_variables(path: str) -> dict[str, str]:
    """Return the variables that make Java's build tools use the trust store at `path`."""
    return dict.fromkeys(JAVA_VARIABLES, f"-Djavax.net.ssl.trustStore={path}")


def _is_bundle(path: Path) -> bool:
    try:
        if path.stat().st_size > _LIMIT:
            return False
        with path.open("rb") as file:
            return _BEGIN in file.read()
    except OSError:
        return False


def _of_project(setting: str, directory: Path) -> Path:
    try:
        path = confined.resolve(directory, setting)
    except FileNotFoundError as error:
        raise _unusable(f"there is no {setting} in the project") from error
    except OSError as error:
        raise _unusable(str(error)) from error
    if not _is_bundle(path):
        raise _unusable(f"{setting} is no file of PEM certificates below {format_size(_LIMIT)}")
    return path


def _unusable(message: str) -> ProfileError:
    hint = 'write "host", "none", or the path of a PEM file in the project'
    return ProfileError(message, problems=[Problem(message=message, key="network.ca_bundle", hint=hint)])
