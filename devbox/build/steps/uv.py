"""How uv, which resolves and installs packages, is had: beside the downloads, and never in the image. Pure."""

from devbox.build.recipe import CACHE_DIRECTORY, RUN_DIRECTORY, VENV

VERSION = "0.13.9"
CACHES = ("pip", "uv")
_HASHES = (  # of the wheels for Linux: glibc and musl, x86_64 and aarch64
    "d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19",
    "2c45530751517d6c3bbc69a19473f6effe47cce047bede01ffd8af7ea7b36b25",
    "ecb6028d79dc96fbeafffe5c8af62a7099487ebc05a701e76714eebcffd06375",
    "5435c5ce14a56431208ca0996416d310f1598e8c2c8ba707688985a16bb82dbe",
)
_HOME = f"{CACHE_DIRECTORY}/uv"
_FLAGS = "--no-deps --no-compile --require-hashes"
_WANTED = f"{RUN_DIRECTORY}/uv.txt"

PIP = (
    "export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore PIP_PROGRESS_BAR=off",
    f"export PIP_CACHE_DIR={CACHE_DIRECTORY}/pip",
    "export PYTHONDONTWRITEBYTECODE=1",  # what Python writes by itself has the time in it
)


def uv_lines() -> list[str]:
    """Return lines that bring uv, if the cache does not have it, and set `$uv`; it then does as pip was told."""
    return [*PIP, *_bring(), *_SETTINGS, *_AS_PIP]


def _bring() -> list[str]:
    hashes = " ".join(f"--hash=sha256:{each}" for each in _HASHES)
    return [
        "libc=gnu; ! ls /lib/ld-musl-* >/dev/null 2>&1 || libc=musl",
        f'uv_home={_HOME}/uv-{VERSION}-$(uname -m)-$libc; uv="$uv_home/bin/uv"',
        'if ! "$uv" --version >/dev/null 2>&1; then',
        f'  echo "uv=={VERSION} {hashes}" > {_WANTED}',
        f"  part=$(mktemp -d {_HOME}/part.XXXXXX)",
        f'  {VENV}/bin/python -m pip install {_FLAGS} --target "$part/uv" -r {_WANTED} >&2',
        # another build may bring it at the same time; the bytes are the same
        '  mv "$part/uv" "$uv_home" 2>/dev/null || true',
        '  rm -rf "$part"',
        "fi",
    ]


_SETTINGS = (
    f"export UV_CACHE_DIR={_HOME}/cache UV_LINK_MODE=copy UV_NO_PROGRESS=1 UV_PYTHON_DOWNLOADS=never",
    # a .pyc that knows its source by hash is the same in every build
    "export UV_COMPILE_BYTECODE=1 PYC_INVALIDATION_MODE=CHECKED_HASH UV_HTTP_TIMEOUT=60",
    f"export UV_PROJECT_ENVIRONMENT={VENV} VIRTUAL_ENV={VENV}",
)
_AS_PIP = (
    "pip_says() { :; }",
    'if [ -n "${PIP_CONFIG_FILE:-}" ] || [ -e /etc/pip.conf ] || [ -e /etc/xdg/pip/pip.conf ]; then',
    f'  pip_says() {{ {VENV}/bin/python -m pip config get "$1" 2>/dev/null || true; }}',
    "fi",
    "index=${PIP_INDEX_URL:-$(pip_says global.index-url)}",
    '[ -z "$index" ] || export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$index}"',
    "index=${PIP_EXTRA_INDEX_URL:-$(pip_says global.extra-index-url)}",
    '[ -z "$index" ] || export UV_INDEX="${UV_INDEX:-$index}"',
    '[ -z "${PIP_FIND_LINKS:-}" ] || export UV_FIND_LINKS="${UV_FIND_LINKS:-$PIP_FIND_LINKS}"',
    '[ -z "${PIP_TRUSTED_HOST:-}" ] || export UV_INSECURE_HOST="${UV_INSECURE_HOST:-$PIP_TRUSTED_HOST}"',
    'export UV_INDEX_STRATEGY="${UV_INDEX_STRATEGY:-unsafe-best-match}"',  # as pip looks: the best of all indexes
)
