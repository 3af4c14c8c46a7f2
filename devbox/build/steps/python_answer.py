"""The program that says inside what packages were resolved to: a line each, with the hashes that fit here. Pure.

It is run by the environment's own Python, 3.8 or newer; pip's own copy of `packaging` knows which wheels fit.
"""

PROGRAM = r"""
import sys
try:
    import tomllib
except ImportError:
    try:
        from pip._vendor import tomli as tomllib
    except ImportError:
        from pip._vendor import toml as tomllib
from pip._vendor.packaging.tags import sys_tags

fits = {str(tag) for tag in sys_tags()}


def name_of(file):
    return (file.get("url") or file.get("path") or file.get("name", "")).rsplit("/", 1)[-1]


def usable(file):
    python, abi, platform = name_of(file)[: -len(".whl")].split("-")[-3:]
    return any(
        "-".join((p, a, f)) in fits for p in python.split(".") for a in abi.split(".") for f in platform.split(".")
    )


def hashes(files):
    return sorted({"--hash=sha256:" + file["hashes"]["sha256"] for file in files if "sha256" in file.get("hashes", {})})


def line(package):
    name = package["name"]
    if "vcs" in package:
        vcs = package["vcs"]
        where = "#subdirectory=" + vcs["subdirectory"] if vcs.get("subdirectory") else ""
        return "{} @ {}+{}@{}{}".format(name, vcs["type"], vcs["url"], vcs["commit-id"], where)
    if "archive" in package:
        return " ".join(["{} @ {}".format(name, package["archive"]["url"]), *hashes([package["archive"]])])
    files = [each for each in package.get("wheels", []) if usable(each)]
    if package.get("sdist") and (not files or sys.argv[2]):
        files = files + [package["sdist"]]
    return " ".join(["{}=={}".format(name, package["version"]), *hashes(files)])


with open(sys.argv[1], encoding="utf-8") as file:
    for package in tomllib.loads(file.read()).get("packages", []):
        print(line(package))
"""
