"""devbox: one profile in the repo becomes an environment, and you are in it."""

__version__ = "0.1.0"
