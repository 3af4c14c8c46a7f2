"""Runtimes: backends that run Images. They get values (`InstanceSpec`), never a Profile."""
