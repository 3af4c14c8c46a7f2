from setuptools import setup

setup(name='u', py_modules=['u'])
