"""What the releases of Debian and Ubuntu hold: written by scripts/releases.py, which see. Not edited by hand.

By release and tool: version and package, the release's own default first. A version has as many parts as do not change
while the release lives.
"""

from collections.abc import Mapping
from typing import Final

HELD: Final[Mapping[str, Mapping[str, tuple[tuple[str, str], ...]]]] = {
    "debian:11": {
        "python": (("3.9.2", "python3"),),
        "node": (("12.22.12", "nodejs"),),
        "go": (("1.15.15", "golang-go"),),
        "rust": (("1.78", "rustc-web"), ("1.48", "rustc")),
        "java": (("11", "default-jdk-headless"), ("17", "openjdk-17-jdk-headless")),
        "ruby": (("2.7.4", "ruby-full"),),
        "php": (("7.4", "php-cli"),),
        "c": (("10.2", "gcc"), ("9.3", "gcc-9")),
    },
    "debian:12": {
        "python": (("3.11.2", "python3"),),
        "node": (("18.20.4", "nodejs"),),
        "go": (("1.19.8", "golang-go"),),
        "rust": (("1.85", "rustc-web"), ("1.63", "rustc")),
        "java": (("17", "default-jdk-headless"),),
        "ruby": (("3.1.2", "ruby-full"),),
        "php": (("8.2", "php-cli"),),
        "c": (("12.2", "gcc"), ("11.3", "gcc-11")),
    },
    "debian:13": {
        "python": (("3.13.5", "python3"),),
        "node": (("20.19.2", "nodejs"),),
        "go": (("1.24.4", "golang-go"),),
        "rust": (("1.85", "rustc"), ("1.96", "rustc-web")),
        "rustup": (("1.27.1", "rustup"),),
        "java": (("21", "default-jdk-headless"), ("25", "openjdk-25-jdk-headless")),
        "ruby": (("3.3.8", "ruby-full"),),
        "php": (("8.4", "php-cli"),),
        "c": (("14.2", "gcc"), ("13.3", "gcc-13"), ("12.4", "gcc-12")),
    },
    "debian:sid": {
        "python": (("3.14", "python3"), ("3.15", "python3.15"), ("3.13", "python3.13")),
        "node": (("24", "nodejs"),),
        "go": (("1.27", "golang-go"), ("1.26", "golang-1.26-go")),
        "rust": (("1.97", "rustc"),),
        "rustup": (("1.27", "rustup"),),
        "java": (
            ("25", "default-jdk-headless"),
            ("27", "openjdk-27-jdk-headless"),
            ("26", "openjdk-26-jdk-headless"),
            ("21", "openjdk-21-jdk-headless"),
            ("17", "openjdk-17-jdk-headless"),
            ("11", "openjdk-11-jdk-headless"),
            ("8", "openjdk-8-jdk-headless"),
        ),
        "ruby": (("3.3", "ruby-full"),),
        "php": (("8.4", "php-cli"),),
        "c": (("16", "gcc"), ("15", "gcc-15"), ("14", "gcc-14"), ("13", "gcc-13"), ("12", "gcc-12"), ("11", "gcc-11")),
    },
    "ubuntu:22.04": {
        "python": (("3.10", "python3"),),
        "node": (("12.22", "nodejs"),),
        "go": (("1.18", "golang-go"),),
        "rust": (("1.75", "rustc"),),
        "java": (
            ("11", "default-jdk-headless"),
            ("21", "openjdk-21-jdk-headless"),
            ("17", "openjdk-17-jdk-headless"),
            ("8", "openjdk-8-jdk-headless"),
        ),
        "ruby": (("3.0", "ruby-full"),),
        "php": (("8.1", "php-cli"),),
        "c": (("11", "gcc"), ("12", "gcc-12"), ("10", "gcc-10"), ("9", "gcc-9")),
    },
    "ubuntu:24.04": {
        "python": (("3.12", "python3"),),
        "node": (("18.19", "nodejs"),),
        "go": (("1.22", "golang-go"), ("1.21", "golang-1.21-go")),
        "rust": (("1.75", "rustc"),),
        "rustup": (("1.26", "rustup"),),
        "java": (
            ("21", "default-jdk-headless"),
            ("17", "openjdk-17-jdk-headless"),
            ("11", "openjdk-11-jdk-headless"),
            ("8", "openjdk-8-jdk-headless"),
        ),
        "ruby": (("3.2", "ruby-full"),),
        "php": (("8.3", "php-cli"),),
        "c": (("13", "gcc"), ("14", "gcc-14"), ("12", "gcc-12"), ("11", "gcc-11"), ("10", "gcc-10"), ("9", "gcc-9")),
    },
}
