"""Packages of the Debian family: what a name comes to (a question), and exactly that installed (a step). Pure.

The Lock has every package with its place in the archive and its SHA-256. The step fetches these files, each checked,
and lets apt install them without any package list: no list is downloaded or parsed, and nothing but what the Lock has
can get in. What apt and dpkg write of a package is the same as if apt had chosen it.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

from devbox.build.gone import GONE, OTHER
from devbox.build.recipe import RUN_DIRECTORY, STATUS_GONE, UNTOUCHED, BaseImage, Question, Step, asked
from devbox.build.steps.script import locked_cache, quoted, refuse, script
from devbox.errors import BaseImageError
from devbox.profile.lock import Group, LockedPackage

KEY = "packages.system"
QUESTION = "system"
SNAPSHOT_VARIABLE = "DEVBOX_DEBIAN_SNAPSHOT"
FRESH_VARIABLE = "DEVBOX_FRESH_LISTS"  # set for a question that is not to be answered from lists of an hour ago
_LISTS_LAST = 360  # minutes for which package lists are not asked for again
_NOISE = (
    "/var/log/apt/*",
    "/var/log/dpkg.log",
    "/var/log/alternatives.log",
    "/var/cache/ldconfig/aux-cache",
    "/var/cache/apt/*.bin",
    "/var/cache/debconf/*-old",
    "/var/lib/apt/lists/*",
    "/var/lib/dpkg/*-old",
)
_QUIET = (
    "-q",
    "-o",
    "APT::Sandbox::User=root",  # the cache lies below a directory that only root can enter
    "-o",
    "Acquire::Retries=3",
    "-o",
    "Acquire::http::Timeout=30",
    "-o",
    "Dpkg::Use-Pty=0",
)
_LISTED = (
    *_QUIET,
    *("-o", "APT::Get::List-Cleanup=false"),
    *("-o", "APT::Update::Error-Mode=any"),  # or it takes an old list for want of a new one, and says it was a success
    *("-o", "Acquire::Languages=none"),
    *("-o", "Acquire::ForceHash=sha256"),
    *("-o", 'Dir::Cache="$cache"', "-o", 'Dir::State::lists="$cache/lists"'),
    *("-o", 'Dir::Cache::archives="$empty"'),  # what lies there already would not be named
)
_LISTLESS = (
    *_QUIET,
    *("-o", "Dpkg::Options::=--force-unsafe-io"),  # a layer that is lost with the power is built again
    *("-o", 'Dir::State::lists="$empty"', "-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache="),
    *("-o", 'Dir::Cache::archives="$empty"'),  # or its lock stays in the layer
    *("-o", "APT::AutoRemove::RecommendsImportant=false", "-o", "APT::AutoRemove::SuggestsImportant=false"),
)
# Prints a line for each file of the lists "$wanted" that is not in "$cache/debs" as it should be:
# SHA-256, place below the archive, archive.
_MISSING = """
missing() {
  ( cd "$cache/debs" && awk '{ n = split($2, part, "/"); print $1 "  " part[n] }' "$wanted" |
    sha256sum -c --quiet 2>/dev/null | sed 's/: FAILED.*//' ) > "$scratch/bad" || true
  awk 'NR == FNR { bad[$0] = 1; next } { n = split($2, part, "/"); if (part[n] in bad) print }' "$scratch/bad" "$wanted"
}
""".strip()
# Fetches the files of "$scratch/list", from "$1": "mirror", or "snapshot" of the day of the Lock. What is the
# same for all of an archive is done once: processes for each file take longer than a small file.
_FETCH = """
sources() {
  cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
    grep -v '^ *#' | grep -o '[a-z+]*://[^] ]*' | sed 's,/*$,,' | sort -u
}
place() {
  base=$(sources | grep "/$2\\$" | head -n 1)
  [ "$1" = mirror ] || base=$(echo "$base" | snapshot "$2")
  [ -z "$base" ] || echo "$2 $base"
}
fetch() {
  for archive in $(cut -d ' ' -f 3 "$scratch/list" | sort -u); do place "$1" "$archive"; done > "$scratch/places"
  [ -s "$scratch/places" ] || return 0
  awk 'NR == FNR { base[$1] = $2; next }
    $3 in base { n = split($2, part, "/"); uri = $2; gsub(/[+]/, "%2b", uri); gsub(/~/, "%7e", uri)
      print base[$3] "/" uri, part[n], $1 }' "$scratch/places" "$scratch/list" > "$scratch/uris"
  set --
  while read -r uri file hash; do set -- "$@" "$uri" "$cache/debs/$file" "SHA256:$hash"; done < "$scratch/uris"
  [ $# = 0 ] || { LC_ALL=C /usr/lib/apt/apt-helper APT-OPTIONS download-file "$@" || true; } 2>&1 |
    tee -a "$scratch/said"
}
""".strip().replace("APT-OPTIONS", quoted(_QUIET))

_HOSTLESS = "; s,^'[a-z+]*://[^/]*/,'archive://any/,"

# Prints "archive:file" for each line of the list "$2"; if "$1" tells of files with another hash, for those alone.
_NAMED = """
named() {
  awk 'FILENAME == ARGV[1] && /Failed to fetch .*Hash Sum mismatch/ { n = split($5, part, "/"); bad[part[n]] = 1 }
    FILENAME == ARGV[1] { next }
    { n = split($2, part, "/"); uri = part[n]; gsub(/[+]/, "%2b", uri); gsub(/~/, "%7e", uri) }
    ARGV[1] == "/dev/null" || uri in bad { printf " %s:%s", $3, part[n] }' "$1" "$2"
}
""".strip()


def plain(name: str) -> str:
    """Return a package's name without version and architecture."""
    return name.partition("=")[0].partition(":")[0]


def cache_name(base: BaseImage) -> str:
    """Return the name of the cache mount for packages of `base`: one per distribution, version and architecture."""
    parts = ["apt", base.distribution, base.version or "rolling", base.architecture]
    return "-".join("".join(char if char.isalnum() or char == "." else "-" for char in part) for part in parts)


def question(
    base: BaseImage, names: Sequence[str], *, known: Collection[LockedPackage] = (), hostless: bool = False
) -> Question:
    """Return the question what installing `names` brings; `known`: packages whose version is to be kept to.

    `hostless`: the answer is kept as it is, so it must not say which mirror was asked.
    """
    pins = [f"Package: {one.name}\nPin: version {one.version}\nPin-Priority: 990\n" for one in known]
    lines = [
        "exec 3>&1 1>&2",
        f"export DEBIAN_FRONTEND=noninteractive TMPDIR={RUN_DIRECTORY}",
        *_lists(base, pins),
        f'solve() {{ apt install -y --no-install-recommends --print-uris -- {quoted(names)} > "$empty/uris"; }}',
        'solve || { [ -n "$fresh" ] || exit 100; fresh=; refresh; solve; }',  # no &&: set -e would look past a failure
        # The day of the archive, then a line for each file: 'URI' name size SHA256:hash
        'sed -n "s/^Date: //p" "$cache"/lists/*Release | while read -r day; do date -u -d "$day" +%s; done |'
        " sort -n | tail -n 1 >&3",
        f'grep "^\'" "$empty/uris" | sed "s/%2b/+/g; s/%7e/~/g{_HOSTLESS if hostless else ""}" >&3 || true',
        f'[ -z "$fresh" ] || : > {UNTOUCHED}',  # hooks of apt update may write anywhere
    ]
    return Question(
        key=QUESTION,
        name="look up system packages",
        asked=asked(base.id, sorted(names)),
        script=script(base.epoch, lines),
        caches=(cache_name(base),),
        stays=not pins,  # they are a file of the image
    )


def _lists(base: BaseImage, pins: Sequence[str] = ()) -> list[str]:
    """Return lines after which `apt` is apt-get with the cache's lists, and `refresh` fetches them if not `$fresh`."""
    return [
        *locked_cache(cache_name(base)),
        "empty=$(mktemp -d)",
        'mkdir -p "$empty/partial" "$cache/lists/partial"',
        *_preferences(pins),
        f'apt() {{ apt-get {" ".join(_LISTED)} "$@"; }}',
        'refresh() { apt update && : > "$cache/updated"; }',
        f'fresh=$(find "$cache/updated" -mmin -{_LISTS_LAST} 2>/dev/null) || true',
        f'[ -z "${{{FRESH_VARIABLE}:-}}" ] || fresh=',
        '[ -n "$fresh" ] || refresh',
    ]


def unpacked(base: BaseImage, of: str, pattern: str, place: str) -> list[str]:
    """Return lines that unpack, without installing it, what package `of` depends on that matches `pattern` (sed).

    It then lies below `place`, an absolute path, and `$cache` is apt's cache mount.
    """
    depends = f'apt-cache {" ".join(_LISTED)} depends {of} | sed -n "s/.*Depends: \\({pattern}\\)\\$/\\1/p"'
    return [
        *_lists(base),
        f"get() {{ ( cd $empty && apt download $({depends}) ); }}",
        'get || { [ -n "$fresh" ] && refresh && get; }',
        f"for file in $empty/*.deb; do dpkg-deb -x $file {place}; done",
        "exec 9>&-",
        f"rm -rf $empty {' '.join(_NOISE)}",
    ]


def _preferences(pins: Sequence[str]) -> list[str]:
    if not pins:
        return []
    return ["cat > /etc/apt/preferences.d/devbox <<'devbox-end'", "\n".join(pins), "devbox-end"]


def answered(group: Group, lines: Sequence[str]) -> Group:
    """Return `group` with the packages that an answer names; `BaseImageError` for what apt never says."""
    day, *rows = [line for line in lines if line] or ["0"]
    packages = sorted(map(_package, rows), key=lambda one: (one.name, one.architecture))
    return replace(group, packages=tuple(packages), epoch=int(day) if day.isdigit() else 0)


def _package(line: str) -> LockedPackage:
    try:
        quoted_uri, file, _size, sha256 = line.split()
        name, version, architecture = file.removesuffix(".deb").split("_")
        before, _, pool = quoted_uri.strip("'").partition("/pool/")
        archive = before.split("://", 1)[1].split("/", 1)[1]
        kind, _, digest = sha256.partition(":")
    except (ValueError, IndexError):
        kind, name, version, architecture, digest, pool, archive = "", "", "", "", "", "", ""
    if kind != "SHA256" or not pool:
        raise BaseImageError(
            "the package manager names a package in words that devbox does not understand",
            detail=line,
            hint="write its packages into the base image, or report this line",
        )
    return LockedPackage(
        name=name,
        version=version.replace("%3a", ":"),
        architecture=architecture,
        sha256=digest,
        file=f"pool/{pool}",
        archive=archive,
    )


def install(base: BaseImage, group: Group, *, first: bool = True, before: Sequence[str] = ()) -> Step:
    """Return the step that installs exactly the packages of `group`; nothing more than a mark where all are there.

    `first`: it is not one that was added later. `before`: lines for what the packages' own scripts are to know.
    """
    names = [plain(name) for name in group.asked]
    came = sorted({one.name for one in group.packages} - set(names))
    title = "system packages" if first or len(names) > 4 else f"also {', '.join(names)}"
    lines = [
        "export DEBIAN_FRONTEND=noninteractive",
        *locked_cache(cache_name(base)),
        *_fetched(group),
        "exec 9>&-",  # others may fetch while these are being installed
        *before,
        *_installed(group, names, came),
    ]
    return Step(name=title, key=KEY, script=script(base.epoch, lines), caches=(cache_name(base),))


def install_live(group: Group) -> str:
    """Return the script that does in a running environment what the step of `install` does in its image.

    There no cache is mounted, so the files come from the archive again.
    """
    names = [plain(name) for name in group.asked]
    came = sorted({one.name for one in group.packages} - set(names))
    lines = [
        "export DEBIAN_FRONTEND=noninteractive",
        "cache=$(mktemp -d /var/tmp/devbox.XXXXXX)",
        "trap 'rm -rf \"$cache\"' EXIT",
        *_fetched(group),
        *_installed(group, names, came),
    ]
    return script(group.epoch, lines)


def remove(base: BaseImage, names: Sequence[str]) -> Step:
    """Return the step after which `names` are not asked for: gone, unless something else needs them."""
    lines = _removed(names)
    return Step(name=f"without {', '.join(names)}", key=KEY, script=script(base.epoch, lines), network=False)


def remove_live(names: Sequence[str]) -> str:
    """Return the script that does in a running environment what the step of `remove` does in its image."""
    return script(0, _removed(names))


def _removed(names: Sequence[str]) -> list[str]:
    return [
        "export DEBIAN_FRONTEND=noninteractive",
        *_scratch(),
        f"apt-mark {' '.join(_LISTLESS)} auto {quoted(map(plain, names))}",
        f"apt-get {' '.join(_LISTLESS)} autoremove --purge -y",
        f"rm -rf {' '.join(_NOISE)}",
    ]


def _fetched(group: Group) -> list[str]:
    """Return lines after which every file of `group` lies in "$cache/debs", as the Lock has it."""
    return [*_scratch(), *_wanted(group.packages), *_snapshots(group.epoch), _MISSING, _FETCH, *_get()]


def _installed(group: Group, names: Sequence[str], came: Sequence[str]) -> list[str]:
    """Return lines that install these files, mark what only came along, and what the base had as asked for."""
    files = quoted(f"./{one.file.rpartition('/')[2]}" for one in group.packages)
    there = sorted(set(names) - {one.name for one in group.packages})
    return [
        f'apt() {{ apt-get {" ".join(_LISTLESS)} "$@"; }}',
        'cd "$cache/debs"',
        *([f"apt install -y --no-install-recommends {files}"] if files else []),
        *([f"apt-mark {' '.join(_LISTLESS)} manual {quoted(there)} >/dev/null"] if there else []),
        *([f"apt-mark {' '.join(_LISTLESS)} auto {quoted(came)} >/dev/null"] if came else []),
        f"rm -rf {' '.join(_NOISE)}",
    ]


def _scratch() -> list[str]:
    return [
        "scratch=/run/devbox/apt empty=/run/devbox/apt/empty wanted=/run/devbox/apt/wanted",
        "rm -rf $scratch",
        "mkdir -p $empty/partial",
    ]


def _wanted(packages: Sequence[LockedPackage]) -> list[str]:
    rows = [f"{one.sha256} {one.file} {one.archive}" for one in packages]
    return ['mkdir -p "$cache/debs/partial"', "cat > \"$wanted\" <<'devbox-end'", *rows, "devbox-end"]


def _snapshots(epoch: int) -> list[str]:
    """Return the function that makes of a mirror's address (stdin) that of the archive as it was on the Lock's day."""
    return [
        f"stamp=$(date -u -d @{epoch} +%Y%m%dT%H%M%SZ)",
        "snapshot() {",
        f'  if [ -n "${{{SNAPSHOT_VARIABLE}:-}}" ]; then echo "${{{SNAPSHOT_VARIABLE}}}/$1/$stamp"',
        '  else sed "s,://[^./]*\\.\\([^/]*\\)/.*,://snapshot.\\1/archive/$1/$stamp,"; fi',
        "}",
    ]


def _get() -> list[str]:
    """Return lines that fetch what is missing, or end the step with what cannot be had (see `build.gone`)."""
    return [
        _NAMED,
        ': > "$scratch/said"',
        'missing > "$scratch/list"',
        'for from in mirror snapshot; do [ ! -s "$scratch/list" ] || { fetch $from; missing > "$scratch/list"; }; done',
        '[ ! -s "$scratch/list" ] || {',
        '  other=$(named "$scratch/said" "$scratch/list")',
        f'  [ -z "$other" ] || {refuse(f"{OTHER}$other", status=STATUS_GONE)}',
        '  gone=$(named /dev/null "$scratch/list")',
        f"  {refuse(f'{GONE}$gone', status=STATUS_GONE)}",
        "}",
    ]
