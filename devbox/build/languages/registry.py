"""The languages that devbox knows, in the order of their steps."""

from devbox.build.languages.base import Language
from devbox.build.languages.c import c
from devbox.build.languages.go import go
from devbox.build.languages.java import java
from devbox.build.languages.node import node
from devbox.build.languages.php import php
from devbox.build.languages.python import python
from devbox.build.languages.ruby import ruby
from devbox.build.languages.rust import rust

LANGUAGES: tuple[Language, ...] = (python, node, go, rust, java, ruby, php, c)
