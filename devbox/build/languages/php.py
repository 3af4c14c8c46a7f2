"""PHP: the extensions that the project asks for, and the packages of composer.lock in vendor, a volume. Pure."""

import json
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from devbox.build.languages.base import Part, Setting
from devbox.build.languages.shared import (
    Work,
    needed,
    no_packages,
    own_home,
    owned_by_user,
    question,
    step,
    with_toolchain,
)
from devbox.build.manifests import PHP
from devbox.build.manifests.php import COMPOSER, COMPOSER_LOCK
from devbox.build.recipe import CONTEXT_DIRECTORY, Question, Step
from devbox.build.steps.script import locked_cache
from devbox.build.toolchains import declared
from devbox.profile.model import Php

VENDOR = "vendor"
PACKAGES = "php.packages"  # the question: which packages a project without a composer.lock comes to
_OWNED = ("COMPOSER_",)
_SYSTEM = ("ca-certificates", "git", "unzip")
# Extensions that a package of another name brings, as Debian has them.
_PACKAGE_OF = {
    "dom": "xml", "simplexml": "xml", "xmlreader": "xml", "xmlwriter": "xml", "xsl": "xml", "mysqli": "mysql",
    "mysqlnd": "mysql", "pdo_mysql": "mysql", "pdo_pgsql": "pgsql", "pdo_sqlite": "sqlite3", "pdo_odbc": "odbc",
    "memcached": "memcached", "dba": "dba",
}  # fmt: skip
# Extensions that have packages of their own; all others are part of PHP itself, or nobody packages them.
_PACKAGED = frozenset((
    "amqp", "apcu", "ast", "bcmath", "bz2", "curl", "dba", "ds", "enchant", "gd", "gearman", "gmp", "gnupg",
    "igbinary", "imagick", "imap", "intl", "ldap", "mailparse", "mbstring", "memcache", "memcached", "mongodb",
    "msgpack", "mysql", "oauth", "odbc", "pcov", "pgsql", "ps", "pspell", "raphf", "redis", "rrd", "snmp", "soap",
    "solr", "sqlite3", "ssh2", "tidy", "uopz", "uuid", "xdebug", "xml", "yaml", "zip", "zmq",
))  # fmt: skip


def php(setting: Setting) -> Part | None:
    """Return PHP's share: the interpreter, extensions, Composer, and the packages, if there is a composer.json."""
    wanted = setting.profile.packages.php
    if wanted is None:
        return None
    chain = _chain(setting, wanted)
    extensions = sorted({*wanted.extensions, *_extensions(setting, chain)})
    # An image with a PHP of its own has its own way to extensions; the distribution's are for the distribution's PHP.
    own_php = declared(setting.base, "php") is not None
    known = setting.base.family in ("debian", "alpine", "fedora")
    named = setting.base.family in ("debian", "fedora")
    own = Part(
        system=(
            *(_SYSTEM if known else ()),
            *(("composer",) if known and not own_php else ()),
            *(_packages(extensions) if named and not own_php else ()),
        ),
        path=(f"{setting.directory}/{VENDOR}/bin",) if chain else (),
        chain=chain,
        volumes=(VENDOR,) if chain else (),
    )
    return with_toolchain(setting, "php", own)


def _packages(extensions: list[str]) -> list[str]:
    names = {_PACKAGE_OF.get(name, name) for name in extensions}
    return [f"php-{name}" for name in sorted(names & _PACKAGED)]


def _extensions(setting: Setting, chain: Sequence[Step | Question]) -> Iterator[str]:
    """Yield the extensions that the project and its packages ask for, and three that nearly every one does."""
    yield from ("curl", "mbstring", "xml")
    chosen = [text for link in chain if isinstance(link, Step) for _, text in link.texts]
    for text in (*(setting.inputs.text(PHP, path) for path in (COMPOSER, COMPOSER_LOCK)), *chosen):
        manifest = _json(text)
        for owner in (manifest, *_list(manifest.get("packages")), *_list(manifest.get("packages-dev"))):
            for table in (owner.get("require"), owner.get("require-dev") if owner is manifest else None):
                for name in table if isinstance(table, dict) else ():
                    if name.startswith("ext-"):
                        yield name.removeprefix("ext-").lower().replace("-", "_")


def _json(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _list(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _chain(setting: Setting, wanted: Php) -> tuple[Step | Question, ...]:
    names = {file.path for file in setting.inputs.group(PHP)}
    if COMPOSER not in names:
        return no_packages(setting, wanted, COMPOSER, key=PHP)
    if wanted.install or COMPOSER_LOCK in names:
        return (_vendor(setting, wanted, ()),)
    # Which extensions the packages need is known only when they are chosen.
    update = "composer update --no-interaction --no-progress --no-scripts --no-install --ignore-platform-req='ext-*'"
    lines = [*_prepare(), f"cd {CONTEXT_DIRECTORY}", f"{update} >&2 && cat {COMPOSER_LOCK}"]
    asking = question(setting, _work(setting, "choose the php packages", lines), key=PACKAGES)
    answer = setting.answer(asking)
    if answer is None:
        return (asking,)
    return (_vendor(setting, wanted, ((COMPOSER_LOCK, "\n".join(answer) + "\n"),)),)


def _vendor(setting: Setting, wanted: Php, texts: tuple[tuple[str, str], ...]) -> Step:
    place = shlex.quote(setting.directory)
    # Not where the repo will appear, which other languages fill too; but on the same file system.
    work = "/workspaces/.php"
    install = wanted.install or "composer install --no-interaction --no-progress --no-scripts"
    lines = [
        *_prepare(),
        f"mkdir -p {place} {work}",
        f"cd {work}",
        f"cp -R -P {CONTEXT_DIRECTORY}/. .",
        f"( {install}\n)",
        f"mkdir -p {VENDOR}",
        f"mv {VENDOR} {place}/{VENDOR}",
        f"cd / && rm -rf {work}",
        owned_by_user(setting, f"{setting.directory}/{VENDOR}"),
    ]
    return step(setting, _work(setting, "php packages", lines, texts))


def _work(setting: Setting, name: str, lines: list[str], texts: tuple[tuple[str, str], ...] = ()) -> Work:
    context = setting.inputs.group(PHP)
    return Work(key=PHP, name=name, lines=tuple(lines), context=context, texts=texts, cache="composer", owned=_OWNED)


def _prepare() -> list[str]:
    return [
        *locked_cache("composer"),
        needed("composer"),
        *own_home(),
        'export COMPOSER_HOME="$HOME/composer" COMPOSER_CACHE_DIR="$cache" COMPOSER_ALLOW_SUPERUSER=1',
        "export COMPOSER_ROOT_VERSION=dev-main COMPOSER_NO_AUDIT=1",
    ]
