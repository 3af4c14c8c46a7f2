"""What a project that has no [project] table says that it needs: Poetry, setuptools, pipenv, conda. Pure."""
