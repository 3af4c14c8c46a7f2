from setuptools import Extension, find_packages, setup

REQUIRES = ["lxml", "psycopg2"]

setup(
    name="old",
    packages=find_packages(),
    python_requires=">=3.7",
    install_requires=REQUIRES,
    extras_require={"testing": ["pytest", "hypothesis"]},
    ext_modules=[Extension("old._fast", ["old/_fast.c"])],
)
