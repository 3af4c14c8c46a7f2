"""The values of a profile's secrets, read on this host at the moment they are needed and kept nowhere (S-30)."""

from collections.abc import Iterator, Mapping

from devbox.profile.confine import real
from devbox.profile.model import Secret
from devbox.workspace.context import Host, Workspace

_LIMIT = 1024 * 1024  # bytes of a secret file


class SecretValues(Mapping[str, str]):
    """Values by name; each is read when it is asked for. One without a value is not in it. No repr shows any."""

    def __init__(self, host: Host, workspace: Workspace, secrets: Mapping[str, Secret]) -> None:
        self._host = host
        self._workspace = workspace
        self._secrets = secrets

    def __getitem__(self, name: str) -> str:
        """Return the value; a `KeyError` says why there is none."""
        secret = self._secrets[name]
        if secret.env is not None:
            if secret.env not in self._host.environ:
                raise KeyError(f"the variable {secret.env} is not set")
            return self._host.environ[secret.env]
        assert secret.file is not None, "the model has exactly one of both"
        return self._file(secret.file)

    def _file(self, written: str) -> str:
        try:
            with real(self._workspace.directory, written).open("rb") as file:
                content = file.read(_LIMIT + 1)
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise KeyError(f"the file {written} cannot be read: {str(why).lower()}") from error
        if len(content) > _LIMIT or b"\0" in content:
            raise KeyError(f"the file {written} is no text of at most 1 MiB")
        return content.decode("utf-8", "surrogateescape").removesuffix("\n")

    def __iter__(self) -> Iterator[str]:
        return iter(self._secrets)

    def __len__(self) -> int:
        return len(self._secrets)

    def __repr__(self) -> str:
        return f"SecretValues({', '.join(self._secrets)})"

    def present(self) -> dict[str, str]:
        """Return those that have a value; a note says which have none."""
        values: dict[str, str] = {}
        for name in self:
            try:
                values[name] = self[name]
            except KeyError as error:
                self._host.reporter.note(f"the secret {name} is not set inside: {error.args[0]}")
        return values
