"""Go from the module proxy: the toolchain as a module, fetched by the distribution's Go, checked by its sum. Pure."""

from devbox.build.languages.base import Part, Setting
from devbox.build.recipe import CACHE_DIRECTORY, Question, Step
from devbox.build.steps.apt import cache_name, unpacked
from devbox.build.steps.script import refuse
from devbox.build.toolchains.sources import WORK, Wanted, fetched, newest, part, question, secrets, step, variables

PLACE = "/opt/go"
ENV = (("GOTOOLCHAIN", "local"),)  # or a `toolchain` line of go.mod fetches another version at run time
_MODULE = "golang.org/toolchain"
_PREFIXES = ("GOPROXY", "GONO", "GOSUMDB", "GOPRIVATE", "GOINSECURE")


def from_modules(setting: Setting, wanted: Wanted) -> Part:
    """Return the share of a Go that the module proxy brings; it lies in /opt/go."""
    caches = (cache_name(setting.base), "go")
    given = secrets(setting, "GO", "NETRC")
    found = question(setting, wanted, _find(setting, wanted), caches=caches, secrets=given)
    answer = fetched(setting, wanted, found, "sum")
    chain: list[Step | Question] = [found]
    if answer is not None:
        lines = _install(setting, answer)
        chain = [step(setting, wanted, answer["version"], lines, caches=caches, secrets=given)]
    return part(chain, system=("ca-certificates",), path=f"{PLACE}/bin", env=ENV)


def _client(setting: Setting) -> list[str]:
    """Unpack the distribution's Go for the time being; it needs no other package for this."""
    return [
        *variables(setting, *_PREFIXES),
        *unpacked(setting.base, "golang-go", "golang-[0-9.]*-go", f"{WORK}/client"),
        f"cd {WORK}",
        f"export HOME={WORK} GOPATH={WORK}/path GOMODCACHE={CACHE_DIRECTORY}/go/mod",
        "export GOTOOLCHAIN=local GOFLAGS= GOENV=off",
        f'go() {{ {WORK}/client/usr/lib/go-*/bin/go "$@"; }}',
    ]


def _find(setting: Setting, wanted: Wanted) -> list[str]:
    unreachable = refuse(f"{wanted.said}, and the Go module proxy, which has others, does not answer")
    none = refuse(f"{wanted.said}, and the Go module proxy has no Go {wanted.constraint.text} either")
    return [
        *_client(setting),
        f"go list -m -versions {_MODULE} > all || {unreachable}",
        f"tr ' ' '\\n' < all | sed -n 's/^v0[.]0[.]1-go\\([0-9.]*\\)[.]{_platform(setting)}$/\\1/p' > versions",
        *newest(wanted.constraint, of="versions"),
        f'[ -n "$version" ] || {none}',
        f'go mod download -json "{_MODULE}@v0.0.1-go$version.{_platform(setting)}" > told',
        'sum=$(sed -n \'s/.*"Sum": "\\(.*\\)".*/\\1/p\' told)',
        'printf "%s\\n" "version=$version" source=go-modules "sum=$sum" >&3',
    ]


def _install(setting: Setting, answer: dict[str, str]) -> list[str]:
    version = answer["version"]
    module = f"{_MODULE}@v0.0.1-go{version}.{_platform(setting)}"
    wrong = refuse(f"the module proxy gave $have for Go {version}")
    other = refuse(f"Go {version} is not what devbox.lock says: the module proxy has another sum for it, $sum")
    return [
        *_client(setting),
        f"go mod download -json {module} > told",
        'sum=$(sed -n \'s/.*"Sum": "\\(.*\\)".*/\\1/p\' told)',
        f"[ \"$sum\" = '{answer['sum']}' ] || {other}",
        f"rm -rf {PLACE}",
        f'cp -R "$GOMODCACHE/{module}" {PLACE}',
        f"chmod -R u=rwX,go=rX {PLACE}",
        # A module has neither executable files nor modules within, so both are there in another way.
        f"chmod 0755 {PLACE}/bin/* {PLACE}/pkg/tool/*/*",
        f'find {PLACE}/src -name _go.mod | while read -r file; do mv "$file" "${{file%_go.mod}}go.mod"; done',
        f"have=$({PLACE}/bin/go version)",
        f'case "$have" in "go version go{version} "*) ;; *) {wrong};; esac',
    ]


def _platform(setting: Setting) -> str:
    return f"linux-{setting.base.architecture}"
