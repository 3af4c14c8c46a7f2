"""Node.js: the packages of the lock file, into the image at the place where the repo will appear. Pure.

Only directories named node_modules stay. At run time a volume is mounted at each, filled from the image.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from devbox.build.recipe import (
    CACHE_DIRECTORY,
    CONTEXT_DIRECTORY,
    RUN_DIRECTORY,
    BaseImage,
    ContextFile,
    Question,
    Step,
)
from devbox.build.steps.script import quoted, script
from devbox.values import GuestUser

KEY = "packages.node"
RESOLVED = "node.packages"  # the key of the question what manifests resolve to
MODULES = "node_modules"
_CACHES = ("npm", "pnpm", "yarn")
_DAY = "Thu, 01 Jan 1970 00:00:00 GMT"
_UNDATED = ("-e", f's/"prunedAt": *"[^"]*"/"prunedAt": "{_DAY}"/', "-e", f"s/^prunedAt:.*/prunedAt: {_DAY}/")
_ASKING = f"{RUN_DIRECTORY}/asking"
# npm's own lock file without the addresses, which change with the registry that somebody uses.
_SHOW = """\
const fs = require("fs");
const tree = JSON.parse(fs.readFileSync("package-lock.json", "utf8"));
const strip = (table) => Object.values(table || {}).forEach((entry) => {
  if (entry.integrity && /^https?:/.test(entry.resolved || "")) delete entry.resolved;
  strip(entry.dependencies);
});
strip(tree.packages);
if (tree.lockfileVersion === 1) strip(tree.dependencies);
console.log(JSON.stringify(tree, null, 1));"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What is installed into the project's directory. `texts`: files that the plan wrote: path, text."""

    command: str
    directory: str
    members: tuple[str, ...] = ()
    context: tuple[ContextFile, ...] = ()
    texts: tuple[tuple[str, str], ...] = ()
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """What has to be resolved: `command` writes the file `lock`. `known`: the older one, if there is one."""

    command: str
    lock: str
    known: tuple[str, ...] = ()
    context: tuple[ContextFile, ...] = ()
    secrets: tuple[str, ...] = ()


def manager(base: BaseImage, package: str, *, secrets: tuple[str, ...]) -> Step:
    """Return the step that installs a package manager, as "pnpm@9.15.9", beside npm."""
    return Step(
        name=package,
        key=KEY,
        script=script(base.epoch, [*_settings(), f"npm install --global -- {shlex.quote(package)}"]),
        caches=_CACHES,
        secrets=secrets,
    )


def packages(base: BaseImage, wanted: Installation, user: GuestUser) -> Step:
    """Return the step that installs packages into the project's directory, as long as there is nothing else there."""
    place = shlex.quote(wanted.directory)
    install = [f"cp -R -P {CONTEXT_DIRECTORY}/. .", f"( {wanted.command}\n)"] if wanted.command else []
    lines = [
        *_settings(),
        f"mkdir -p {place}",
        f"cd {place}",
        *install,
        *_undated(user),
        *_kept([MODULES, *(f"{member}/{MODULES}" for member in wanted.members)]),
        f"chown -R {user.uid}:{user.gid} .",
    ]
    return Step(
        name="node packages",
        key=KEY,
        script=script(base.epoch, lines),
        caches=_CACHES,
        context=wanted.context,
        texts=wanted.texts,
        secrets=wanted.secrets,
    )


def _undated(user: GuestUser) -> list[str]:
    """Return lines that take the moment out of what pnpm notes, and have it look for packages where it will."""
    store = f"s#{CACHE_DIRECTORY}/pnpm/#{user.home}/.local/share/pnpm/store/#"
    notes = f"{MODULES}/.modules.yaml"
    return [
        f"rm -f {MODULES}/.pnpm-workspace-state*.json",
        f"[ ! -e {notes} ] || sed -i {quoted([*_UNDATED, '-e', store])} {notes}",
    ]


def _kept(places: Sequence[str]) -> list[str]:
    """Return lines that remove all but the directories `places`."""
    return [
        f"mkdir -p {MODULES}",
        "keep=$(mktemp -d ./.devbox.XXXXXX); chmod 755 $keep",
        f"for place in {quoted(places)}; do",
        '  if [ -d "$place" ]; then mkdir -p "$keep/$place"; rmdir "$keep/$place"; mv "$place" "$keep/$place"; fi',
        "done",
        'find . -mindepth 1 -maxdepth 1 ! -path "$keep" -exec rm -rf {} +',
        'find "$keep" -mindepth 1 -maxdepth 1 -exec mv {} . \\;',
        'rmdir "$keep"',
    ]


def resolve(base: BaseImage, wanted: Open, *, digest: str) -> Question:
    """Return the question what `wanted` comes to: the text of the lock file. `digest`: of what that depends on."""
    known = [f"cat > {wanted.lock} <<'devbox-end'", *wanted.known, "devbox-end"] if wanted.known else []
    show = f"node -e {shlex.quote(_SHOW)}" if wanted.lock == "package-lock.json" else f"cat {wanted.lock}"
    lines = [
        "exec 3>&1 >&2 </dev/null",  # stdout is the answer, and there is nobody to be asked
        *_settings(),
        f"cp -R -P {CONTEXT_DIRECTORY} {_ASKING}; cd {_ASKING}",
        *known,
        *_keeping(wanted),
        f"{show} >&3",
    ]
    return Question(
        key=RESOLVED,
        name="resolve node packages",
        asked=digest,
        script=script(base.epoch, lines),
        caches=_CACHES,
        context=wanted.context,
        secrets=wanted.secrets,
    )


def _keeping(wanted: Open) -> list[str]:
    """Return lines that resolve, from the older answer if it still fits."""
    if not wanted.known:
        return [f"( {wanted.command}\n)"]
    return [f"( {wanted.command}\n) || {{ rm -f {wanted.lock}; ( {wanted.command}\n) }}"]


def _settings() -> list[str]:
    npm, pnpm, yarn = (f"{CACHE_DIRECTORY}/{name}" for name in _CACHES)
    return [
        f"export npm_config_cache={npm} npm_config_store_dir={pnpm} pnpm_config_store_dir={pnpm}",
        f"export YARN_CACHE_FOLDER={yarn}/classic YARN_GLOBAL_FOLDER={yarn}/berry YARN_ENABLE_GLOBAL_CACHE=true",
        "export YARN_ENABLE_TELEMETRY=0 YARN_ENABLE_PROGRESS_BARS=0 YARN_ENABLE_IMMUTABLE_INSTALLS=false",
        "export npm_config_update_notifier=false npm_config_fund=false npm_config_audit=false",
        "export npm_config_progress=false npm_config_package_import_method=copy CI=true",
        # npm's own patience is ten minutes for one package; a cut network is to be said sooner
        "export npm_config_fetch_retries=2 npm_config_fetch_timeout=60000 npm_config_fetch_retry_maxtimeout=20000",
    ]
