"""Maintained tables: what a dependency needs of the system, which service it talks to, where a framework listens.

System packages have the names of the Debian family, those that Debian 12 and 13 and Ubuntu 24.04 all have. A row is
there because the dependency does not install, or does not import, without them; what comes as a binary needs nothing.
"""
