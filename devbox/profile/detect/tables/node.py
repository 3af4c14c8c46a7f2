"""Node.js's dependencies, by their names in package.json."""

from typing import Final

_GYP: Final = "build-essential python3"  # node-gyp compiles when no binary fits

SYSTEM: Final = {
    "argon2": _GYP,
    "bcrypt": _GYP,
    "better-sqlite3": _GYP,
    "canvas": f"libcairo2-dev libgif-dev libjpeg-dev libpango1.0-dev librsvg2-dev pkg-config {_GYP}",
    "cpu-features": _GYP,
    "deasync": _GYP,
    "ffi-napi": _GYP,
    "gl": f"libgl1-mesa-dev libxi-dev pkg-config {_GYP}",
    "isolated-vm": _GYP,
    "kerberos": f"libkrb5-dev {_GYP}",
    "leveldown": _GYP,
    "libpq": f"libpq-dev {_GYP}",
    "libxmljs": _GYP,
    "libxmljs2": _GYP,
    "node-gyp": _GYP,
    "node-libcurl": f"libcurl4-openssl-dev libssl-dev {_GYP}",
    "node-pty": _GYP,
    "node-rdkafka": f"libsasl2-dev libssl-dev {_GYP}",
    "node-sass": _GYP,
    "pg-native": f"libpq-dev {_GYP}",
    "puppeteer": "chromium",
    "re2": _GYP,
    "robotjs": f"libpng-dev libxtst-dev {_GYP}",
    "serialport": _GYP,
    "sodium-native": _GYP,
    "sqlite3": _GYP,
    "usb": f"libudev-dev {_GYP}",
    "zeromq": _GYP,
}
SERVICES: Final = {
    "pg": "postgres", "postgres": "postgres", "pg-promise": "postgres", "pg-native": "postgres",
    "mysql": "mysql", "mysql2": "mysql", "mariadb": "mysql",
    "redis": "redis", "ioredis": "redis", "bull": "redis", "bullmq": "redis", "connect-redis": "redis",
    "mongodb": "mongodb", "mongoose": "mongodb",
    "amqplib": "rabbitmq", "kafkajs": "kafka", "memcached": "memcached", "@elastic/elasticsearch": "elasticsearch",
}  # fmt: skip
FRAMEWORKS: Final = {
    "express": ("Express", 3000),
    "next": ("Next.js", 3000),
    "nuxt": ("Nuxt", 3000),
    "fastify": ("Fastify", 3000),
    "koa": ("Koa", 3000),
    "@nestjs/core": ("NestJS", 3000),
    "@remix-run/dev": ("Remix", 5173),
    "react-scripts": ("Create React App", 3000),
    "@angular/cli": ("Angular", 4200),
    "@vue/cli-service": ("Vue CLI", 8080),
    "@sveltejs/kit": ("SvelteKit", 5173),
    "astro": ("Astro", 4321),
    "gatsby": ("Gatsby", 8000),
    "@11ty/eleventy": ("Eleventy", 8080),
    "@docusaurus/core": ("Docusaurus", 3000),
    "vitepress": ("VitePress", 5173),
    "vite": ("Vite", 5173),
    "webpack-dev-server": ("webpack", 8080),
    "parcel": ("Parcel", 1234),
}
TEST_RUNNERS: Final = ("vitest", "jest", "mocha", "ava", "tap", "jasmine", "@playwright/test", "cypress")
