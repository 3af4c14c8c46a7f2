"""Libraries of C and C++: what CMake, pkg-config, the linker and autoconf call them, in lower case."""

from typing import Final

# CMake's find_package.
CMAKE: Final = {
    "alsa": "libasound2-dev", "benchmark": "libbenchmark-dev", "bison": "bison", "boost": "libboost-all-dev",
    "bzip2": "libbz2-dev", "cairo": "libcairo2-dev", "catch2": "catch2", "curl": "libcurl4-openssl-dev",
    "curses": "libncurses-dev", "doxygen": "doxygen", "eigen3": "libeigen3-dev", "expat": "libexpat1-dev",
    "flex": "flex", "fmt": "libfmt-dev", "freetype": "libfreetype-dev", "gflags": "libgflags-dev",
    "glew": "libglew-dev", "glfw3": "libglfw3-dev", "glog": "libgoogle-glog-dev", "glm": "libglm-dev",
    "gtest": "libgtest-dev", "gdal": "libgdal-dev", "hdf5": "libhdf5-dev", "icu": "libicu-dev", "jpeg": "libjpeg-dev",
    "libevent": "libevent-dev", "liblzma": "liblzma-dev", "libuv": "libuv1-dev", "libxml2": "libxml2-dev",
    "libxslt": "libxslt1-dev", "mpi": "libopenmpi-dev", "nlohmann_json": "nlohmann-json3-dev",
    "opencl": "ocl-icd-opencl-dev",
    "opencv": "libopencv-dev", "opengl": "libgl1-mesa-dev", "openssl": "libssl-dev", "pkgconfig": "pkg-config",
    "png": "libpng-dev", "postgresql": "libpq-dev", "protobuf": "libprotobuf-dev protobuf-compiler",
    "pybind11": "pybind11-dev python3-dev", "python3": "python3-dev", "qt5": "qtbase5-dev", "qt6": "qt6-base-dev",
    "sdl2": "libsdl2-dev", "spdlog": "libspdlog-dev", "sqlite3": "libsqlite3-dev", "swig": "swig",
    "tiff": "libtiff-dev",
    "vulkan": "libvulkan-dev", "x11": "libx11-dev", "yaml-cpp": "libyaml-cpp-dev", "zeromq": "libzmq3-dev",
    "zlib": "zlib1g-dev", "zstd": "libzstd-dev",
}  # fmt: skip
# pkg-config's modules: Meson's dependency(), CMake's pkg_check_modules, autoconf's PKG_CHECK_MODULES.
MODULES: Final = {
    "alsa": "libasound2-dev", "cairo": "libcairo2-dev", "catch2": "catch2", "check": "check", "cmocka": "libcmocka-dev",
    "dbus-1": "libdbus-1-dev", "expat": "libexpat1-dev", "fmt": "libfmt-dev", "freetype2": "libfreetype-dev",
    "fuse3": "libfuse3-dev", "gio-2.0": "libglib2.0-dev", "glfw3": "libglfw3-dev", "glib-2.0": "libglib2.0-dev",
    "gmock": "libgmock-dev", "gnutls": "libgnutls28-dev", "gobject-2.0": "libglib2.0-dev", "gtest": "libgtest-dev",
    "gtk+-3.0": "libgtk-3-dev", "gtk4": "libgtk-4-dev", "hiredis": "libhiredis-dev", "icu-uc": "libicu-dev",
    "jansson": "libjansson-dev", "json-c": "libjson-c-dev", "libarchive": "libarchive-dev",
    "libcurl": "libcurl4-openssl-dev",
    "libevent": "libevent-dev", "libffi": "libffi-dev", "libjpeg": "libjpeg-dev", "liblz4": "liblz4-dev",
    "liblzma": "liblzma-dev", "libpcap": "libpcap-dev", "libpcre2-8": "libpcre2-dev", "libpng": "libpng-dev",
    "libpq": "libpq-dev", "libsodium": "libsodium-dev", "libssl": "libssl-dev", "libcrypto": "libssl-dev",
    "libsystemd": "libsystemd-dev", "libudev": "libudev-dev", "libusb-1.0": "libusb-1.0-0-dev", "libuv": "libuv1-dev",
    "libxml-2.0": "libxml2-dev", "libzmq": "libzmq3-dev", "libzstd": "libzstd-dev", "ncurses": "libncurses-dev",
    "ncursesw": "libncurses-dev", "openssl": "libssl-dev", "pango": "libpango1.0-dev", "python3": "python3-dev",
    "readline": "libreadline-dev", "sdl2": "libsdl2-dev", "spdlog": "libspdlog-dev", "sqlite3": "libsqlite3-dev",
    "uuid": "uuid-dev", "wayland-client": "libwayland-dev", "x11": "libx11-dev", "yaml-0.1": "libyaml-dev",
    "zlib": "zlib1g-dev",
}  # fmt: skip
# What the linker calls them: -lNAME in a Makefile, AC_CHECK_LIB in configure.ac, cc.find_library in meson.build.
LINKED: Final = {
    "archive": "libarchive-dev", "bz2": "libbz2-dev", "crypto": "libssl-dev", "curl": "libcurl4-openssl-dev",
    "curses": "libncurses-dev", "edit": "libedit-dev", "event": "libevent-dev", "expat": "libexpat1-dev",
    "ffi": "libffi-dev", "gmp": "libgmp-dev", "gtest": "libgtest-dev", "jpeg": "libjpeg-dev", "lz4": "liblz4-dev",
    "lzma": "liblzma-dev", "ncurses": "libncurses-dev", "ncursesw": "libncurses-dev", "pcap": "libpcap-dev",
    "pcre2-8": "libpcre2-dev", "png": "libpng-dev", "pq": "libpq-dev", "readline": "libreadline-dev",
    "sdl2": "libsdl2-dev", "sqlite3": "libsqlite3-dev", "ssl": "libssl-dev", "usb-1.0": "libusb-1.0-0-dev",
    "uuid": "uuid-dev", "uv": "libuv1-dev", "x11": "libx11-dev", "xml2": "libxml2-dev", "yaml": "libyaml-dev",
    "z": "zlib1g-dev", "zstd": "libzstd-dev",
}  # fmt: skip
SERVICES: Final = {"libpq-dev": "postgres", "libhiredis-dev": "redis", "default-libmysqlclient-dev": "mysql"}
