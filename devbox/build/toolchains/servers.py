"""Python by uv and Rust by rustup: both come from PyPI and fetch from a server of their own, or from a mirror. Pure.

The Lock has the version of the client, which knows the hashes of what it fetches, and a hash of what was installed.
"""

from devbox.build.languages.base import Part, Setting
from devbox.build.recipe import Question, Step
from devbox.build.steps.script import refuse
from devbox.build.toolchains.sources import (
    CLIENT_PACKAGES,
    TREE,
    WORK,
    Wanted,
    fetched,
    newest,
    part,
    processor,
    python_client,
    question,
    step,
    variables,
)
from devbox.profile.toolchains.constraint import Constraint

PYTHON_PLACE = "/opt/python"
RUST_PLACE = "/opt/rust"
_CACHES = ("pip",)


def from_uv(setting: Setting, wanted: Wanted) -> Part:
    """Return the share of a Python that uv brings; it lies in /opt/python/current."""
    found = question(setting, wanted, _find_python(setting, wanted), caches=_CACHES)
    answer = fetched(setting, wanted, found, "uv", "sha256")
    chain: list[Step | Question] = [found]
    if answer is not None:
        chain = [step(setting, wanted, answer["version"], _python(setting, wanted, answer), caches=_CACHES)]
    return part(chain, system=CLIENT_PACKAGES, path=f"{PYTHON_PLACE}/current/bin")


def from_rustup(setting: Setting, wanted: Wanted) -> Part:
    """Return the share of a Rust that rustup brings; it lies in /opt/rust/current."""
    found = question(setting, wanted, _find_rust(setting, wanted), caches=_CACHES)
    answer = fetched(setting, wanted, found, "rustup", "sha256")
    chain: list[Step | Question] = [found]
    if answer is not None:
        chain = [step(setting, wanted, answer["version"], _rust(setting, wanted, answer), caches=_CACHES)]
    system = (*CLIENT_PACKAGES, "gcc", "libc6-dev")  # the linker that cargo calls
    return part(chain, system=system, path=f"{RUST_PLACE}/current/bin")


def channel(constraint: Constraint) -> str:
    """Return what rustup calls the newest Rust that is asked for: "stable", "1.80", "1.80.1"."""
    last = constraint.spans[-1]
    if last.high is None or len(last.high) < 2:
        return "stable"
    return ".".join(map(str, (*last.high[:-1], last.high[-1] - 1)))


def _uv(setting: Setting, name: str) -> list[str]:
    return [
        *variables(setting, "UV_", "PIP_"),
        f"export HOME={WORK} UV_CACHE_DIR={WORK}/cache UV_NO_CONFIG=1 UV_PYTHON_PREFERENCE=only-managed",
        *python_client(name),
        f"cd {WORK}",
    ]


def _uv_install(wanted: Wanted) -> list[str]:
    """Lines that install Python $version; `$name` is what uv calls it."""
    unreachable = refuse(
        f"{wanted.said}, and the server from which uv would fetch Python $version does not answer; "
        "UV_PYTHON_INSTALL_MIRROR in [env] names another"
    )
    return [
        f"rm -rf {PYTHON_PLACE}",
        f'"$client/bin/uv" python install --no-bin --install-dir {PYTHON_PLACE} "$name" || {unreachable}',
        f"""find {PYTHON_PLACE} -mindepth 1 -maxdepth 1 ! -name "$name" -exec rm -rf {{}} +""",
        f'ln -s "$name" {PYTHON_PLACE}/current',  # the directory keeps its name, which Python's own files have in them
        f"find {PYTHON_PLACE} -name __pycache__ -prune -exec rm -rf {{}} +",
        f"chmod -R u=rwX,go=rX {PYTHON_PLACE}",
        TREE,
        f"digest=$(tree {PYTHON_PLACE})",
    ]


def _find_python(setting: Setting, wanted: Wanted) -> list[str]:
    name = f"cpython-\\([0-9.]*\\)-linux-{processor(setting)}-gnu"
    none = refuse(f"{wanted.said}, and uv knows no Python {wanted.constraint.text} either")
    return [
        *_uv(setting, "uv"),
        '"$client/bin/uv" python list --only-downloads --all-versions > all',
        f"sed -n 's/^{name} .*/\\1/p' all > versions",
        *newest(wanted.constraint, of="versions"),
        f'[ -n "$version" ] || {none}',
        f"name=cpython-$version-linux-{processor(setting)}-gnu",
        *_uv_install(wanted),
        'uv=$("$client/bin/uv" --version | cut -d " " -f 2)',
        'printf "%s\\n" "version=$version" source=uv "uv=$uv" "sha256=$digest" >&3',
    ]


def _python(setting: Setting, wanted: Wanted, answer: dict[str, str]) -> list[str]:
    version = answer["version"]
    place = f"{PYTHON_PLACE}/current/bin/python3"
    return [
        *_uv(setting, f"uv=={answer['uv']}"),
        f"version={version} name=cpython-{version}-linux-{processor(setting)}-gnu",
        *_uv_install(wanted),
        f'[ "$digest" = {answer["sha256"]} ] || {_other("Python", version)}',
        f"""have=$({place} -B -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])')""",
        f'[ "$have" = {version} ] || {refuse(f"uv gave Python $have for {version}")}',
    ]


def _rustup(setting: Setting, wanted: Wanted, name: str, toolchain: str) -> list[str]:
    """Lines that install the toolchain by the rustup `name`; `$have` is then its version, `$digest` its files'."""
    unreachable = refuse(
        f"{wanted.said}, and the server from which rustup would fetch Rust {toolchain} does not answer or has none; "
        "RUSTUP_DIST_SERVER in [env] names another"
    )
    components = "--component clippy --component rustfmt --no-self-update"
    return [
        *variables(setting, "RUSTUP_", "PIP_"),
        f"export HOME={WORK} RUSTUP_HOME={WORK}/rustup CARGO_HOME={WORK}/cargo",
        *python_client(name),
        f"cd {WORK}",
        f'"$client/bin/rustup" toolchain install {toolchain} --profile minimal {components} || {unreachable}',
        f"rm -rf {RUST_PLACE}",
        f"mkdir -p {RUST_PLACE}",
        f"mv {WORK}/rustup/toolchains/* {RUST_PLACE}/current",
        # rustup's notes: in the order in which things came, and by the name that was asked for.
        f"rm -f {RUST_PLACE}/current/lib/rustlib/multirust-* {RUST_PLACE}/current/lib/rustlib/components",
        f"chmod -R u=rwX,go=rX {RUST_PLACE}",
        TREE,
        f"digest=$(tree {RUST_PLACE})",
        f"have=$({RUST_PLACE}/current/bin/rustc --version | cut -d ' ' -f 2)",
    ]


def _find_rust(setting: Setting, wanted: Wanted) -> list[str]:
    none = refuse(f"{wanted.said}, and rustup's newest is Rust $have, not {wanted.constraint.text}")
    return [
        *_rustup(setting, wanted, "rustup", channel(wanted.constraint)),
        'echo "$have" > versions',
        *newest(wanted.constraint, of="versions"),
        f'[ -n "$version" ] || {none}',
        # As PyPI numbers it, which is not how rustup does.
        'rustup=$("$client/bin/python" -m pip freeze | sed -n "s/^rustup==//p")',
        'printf "%s\\n" "version=$version" source=rustup "rustup=$rustup" "sha256=$digest" >&3',
    ]


def _rust(setting: Setting, wanted: Wanted, answer: dict[str, str]) -> list[str]:
    version = answer["version"]
    return [
        *_rustup(setting, wanted, f"rustup=={answer['rustup']}", version),
        f'[ "$have" = {version} ] || {refuse(f"rustup gave Rust $have for {version}")}',
        f'[ "$digest" = {answer["sha256"]} ] || {_other("Rust", version)}',
    ]


def _other(title: str, version: str) -> str:
    return refuse(f"{title} {version} is not what devbox.lock says: its files have the digest $digest")
