"""Python's dependencies, by their names as PEP 503 normalises them; "name[extra]" where the extra decides."""

from typing import Final

_CC: Final = "build-essential python3-dev"

SYSTEM: Final = {
    "cairocffi": "libcairo2",
    "cairosvg": "libcairo2",
    "dbus-python": f"libdbus-1-dev libglib2.0-dev pkg-config {_CC}",
    "evdev": _CC,
    "ffmpeg-python": "ffmpeg",
    "fuse-python": f"libfuse-dev pkg-config {_CC}",
    "gdal": f"gdal-bin libgdal-dev {_CC}",
    "gitpython": "git",
    "graphviz": "graphviz",
    "gssapi": f"libkrb5-dev {_CC}",
    "kerberos": f"libkrb5-dev {_CC}",
    "m2crypto": f"libssl-dev swig {_CC}",
    "moviepy": "ffmpeg",
    "mpi4py": f"libopenmpi-dev openmpi-bin {_CC}",
    "mysqlclient": f"default-libmysqlclient-dev pkg-config {_CC}",
    "netifaces": _CC,
    "opencv-contrib-python": "libgl1 libglib2.0-0",
    "opencv-python": "libgl1 libglib2.0-0",
    "pdf2image": "poppler-utils",
    "pdftotext": f"libpoppler-cpp-dev pkg-config {_CC}",
    "psycopg": "libpq5",
    "psycopg2": f"libpq-dev {_CC}",
    "psycopg[c]": f"libpq-dev {_CC}",
    "pyaudio": f"portaudio19-dev {_CC}",
    "pycairo": f"libcairo2-dev pkg-config {_CC}",
    "pycups": f"libcups2-dev {_CC}",
    "pycurl": f"libcurl4-openssl-dev libssl-dev {_CC}",
    "pydub": "ffmpeg",
    "pyenchant": "libenchant-2-2",
    "pygobject": f"gobject-introspection libcairo2-dev libgirepository1.0-dev pkg-config {_CC}",
    "pygraphviz": f"graphviz libgraphviz-dev pkg-config {_CC}",
    "pyodbc": "unixodbc",
    "pypandoc": "pandoc",
    "pytesseract": "tesseract-ocr",
    "python-ldap": f"libldap2-dev libsasl2-dev {_CC}",
    "python-magic": "libmagic1",
    "python-snappy": f"libsnappy-dev {_CC}",
    "pyusb": "libusb-1.0-0",
    "soundfile": "libsndfile1",
    "sounddevice": "libportaudio2",
    "spidev": _CC,
    "uwsgi": _CC,
    "weasyprint": "libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0",
    "xmlsec": f"libxmlsec1-dev pkg-config {_CC}",
}
# What these need where a manifest says that they are built from source (--no-binary).
FROM_SOURCE: Final = {
    "cffi": f"libffi-dev {_CC}",
    "cryptography": f"cargo libssl-dev pkg-config {_CC}",
    "h5py": f"libhdf5-dev pkg-config {_CC}",
    "lxml": f"libxml2-dev libxslt1-dev {_CC}",
    "numpy": f"gfortran libopenblas-dev pkg-config {_CC}",
    "pillow": f"libjpeg-dev zlib1g-dev libfreetype-dev {_CC}",
    "psycopg2-binary": f"libpq-dev {_CC}",
    "pyyaml": f"libyaml-dev {_CC}",
    "pyzmq": f"libzmq3-dev {_CC}",
    "scipy": f"gfortran libopenblas-dev pkg-config {_CC}",
}
SERVICES: Final = {
    "psycopg": "postgres", "psycopg2": "postgres", "psycopg2-binary": "postgres", "asyncpg": "postgres",
    "pg8000": "postgres", "aiopg": "postgres",
    "mysqlclient": "mysql", "pymysql": "mysql", "aiomysql": "mysql", "mysql-connector-python": "mysql",
    "redis": "redis", "aioredis": "redis", "django-redis": "redis", "rq": "redis", "arq": "redis",
    "celery[redis]": "redis",
    "pymongo": "mongodb", "motor": "mongodb", "mongoengine": "mongodb",
    "pika": "rabbitmq", "aio-pika": "rabbitmq", "kafka-python": "kafka", "confluent-kafka": "kafka",
    "aiokafka": "kafka",
    "elasticsearch": "elasticsearch", "opensearch-py": "opensearch", "pymemcache": "memcached", "pylibmc": "memcached",
}  # fmt: skip
FRAMEWORKS: Final = {
    "flask": ("Flask", 5000),
    "django": ("Django", 8000),
    "fastapi": ("FastAPI", 8000),
    "streamlit": ("Streamlit", 8501),
    "jupyterlab": ("JupyterLab", 8888),
    "notebook": ("Jupyter", 8888),
    "mkdocs": ("MkDocs", 8000),
    "gradio": ("Gradio", 7860),
    "dash": ("Dash", 8050),
}
# Backends that compile, with what they need beside a compiler.
BACKENDS: Final = {
    "maturin": "cargo",
    "setuptools_rust": "cargo",
    "scikit_build_core.build": "cmake ninja-build",
    "skbuild": "cmake ninja-build",
    "mesonpy": "ninja-build",
}
COMPILED_BY: Final = frozenset({"cython", "pybind11", "nanobind", "cffi", "scikit-build", "setuptools-rust", "mypyc"})
COMPILER: Final = _CC
