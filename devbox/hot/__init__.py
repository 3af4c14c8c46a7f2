"""The hot path: what a running, unchanged Environment needs, without the rest of devbox.

Every module here is hot: at run time it imports C modules, `os`, `sys` and other hot modules alone.
"""
