"""Dependencies of Go, Rust, Java, Ruby, PHP and Elixir, by their names in the manifests."""

from typing import Final

_CC: Final = "build-essential"
GO_SYSTEM: Final = {
    "github.com/mattn/go-sqlite3": _CC,
    "github.com/confluentinc/confluent-kafka-go": _CC,
    "github.com/confluentinc/confluent-kafka-go/v2": _CC,
    "github.com/google/gopacket": f"libpcap-dev {_CC}",
    "github.com/h2non/bimg": f"libvips-dev pkg-config {_CC}",
    "github.com/davidbyttow/govips/v2": f"libvips-dev pkg-config {_CC}",
    "github.com/go-gl/glfw": f"libgl1-mesa-dev xorg-dev {_CC}",
    "github.com/go-gl/glfw/v3.3/glfw": f"libgl1-mesa-dev xorg-dev {_CC}",
    "github.com/hajimehoshi/ebiten/v2": f"libasound2-dev libgl1-mesa-dev xorg-dev {_CC}",
    "fyne.io/fyne/v2": f"libgl1-mesa-dev xorg-dev {_CC}",
    "github.com/libgit2/git2go/v34": f"libgit2-dev pkg-config {_CC}",
    "github.com/coreos/go-systemd/v22": f"libsystemd-dev {_CC}",
    "gopkg.in/gographics/imagick.v3": f"libmagickwand-dev pkg-config {_CC}",
}
GO_SERVICES: Final = {
    "github.com/lib/pq": "postgres",
    "github.com/jackc/pgx": "postgres",
    "github.com/jackc/pgx/v4": "postgres",
    "github.com/jackc/pgx/v5": "postgres",
    "gorm.io/driver/postgres": "postgres",
    "github.com/go-sql-driver/mysql": "mysql",
    "gorm.io/driver/mysql": "mysql",
    "github.com/redis/go-redis/v9": "redis",
    "github.com/go-redis/redis/v8": "redis",
    "github.com/gomodule/redigo": "redis",
    "go.mongodb.org/mongo-driver": "mongodb",
    "go.mongodb.org/mongo-driver/v2": "mongodb",
    "github.com/rabbitmq/amqp091-go": "rabbitmq",
    "github.com/segmentio/kafka-go": "kafka",
}
GO_FRAMEWORKS: Final = {
    "github.com/gin-gonic/gin": ("Gin", 8080),
    "github.com/labstack/echo/v4": ("Echo", 1323),
    "github.com/gofiber/fiber/v2": ("Fiber", 3000),
}
RUST_SYSTEM: Final = {
    "alsa-sys": "libasound2-dev pkg-config",
    "bindgen": "clang libclang-dev",
    "cairo-sys-rs": "libcairo2-dev pkg-config",
    "clang-sys": "clang libclang-dev",
    "cmake": "cmake",
    "curl-sys": "libcurl4-openssl-dev pkg-config",
    "fontconfig-sys": "libfontconfig-dev pkg-config",
    "freetype-sys": "libfreetype-dev pkg-config",
    "fuser": "libfuse3-dev pkg-config",
    "gdk-sys": "libgtk-3-dev pkg-config",
    "gtk-sys": "libgtk-3-dev pkg-config",
    "gtk4-sys": "libgtk-4-dev pkg-config",
    "krb5-sys": "libkrb5-dev",
    "libdbus-sys": "libdbus-1-dev pkg-config",
    "libgit2-sys": "libssl-dev pkg-config",
    "libsodium-sys": "libsodium-dev pkg-config",
    "libsqlite3-sys": "libsqlite3-dev pkg-config",
    "libssh2-sys": "libssl-dev pkg-config",
    "libudev-sys": "libudev-dev pkg-config",
    "libusb1-sys": "libusb-1.0-0-dev pkg-config",
    "libz-sys": "zlib1g-dev pkg-config",
    "mysqlclient-sys": "default-libmysqlclient-dev pkg-config",
    "openssl": "libssl-dev pkg-config",
    "openssl-sys": "libssl-dev pkg-config",
    "native-tls": "libssl-dev pkg-config",
    "pq-sys": "libpq-dev",
    "prost-build": "protobuf-compiler",
    "rdkafka-sys": "cmake libsasl2-dev libssl-dev zlib1g-dev",
    "rusqlite": "libsqlite3-dev pkg-config",
    "webkit2gtk-sys": "libwebkit2gtk-4.1-dev pkg-config",
    "x11": "libx11-dev pkg-config",
}
RUST_SERVICES: Final = {
    "tokio-postgres": "postgres", "postgres": "postgres", "diesel[postgres]": "postgres", "sqlx[postgres]": "postgres",
    "mysql": "mysql", "mysql_async": "mysql", "sqlx[mysql]": "mysql", "diesel[mysql]": "mysql",
    "redis": "redis", "mongodb": "mongodb", "lapin": "rabbitmq", "rdkafka": "kafka",
}  # fmt: skip
RUST_FRAMEWORKS: Final = {
    "actix-web": ("Actix", 8080),
    "axum": ("axum", 3000),
    "rocket": ("Rocket", 8000),
    "warp": ("warp", 3030),
}
RUBY_SYSTEM: Final = {
    "charlock_holmes": "libicu-dev pkg-config",
    "curb": "libcurl4-openssl-dev",
    "ffi": "libffi-dev",
    "idn-ruby": "libidn-dev",
    "image_processing": "libvips-dev",
    "mimemagic": "shared-mime-info",
    "mini_magick": "imagemagick",
    "mysql2": "default-libmysqlclient-dev",
    "nokogiri": "libxml2-dev libxslt1-dev pkg-config zlib1g-dev",
    "pg": "libpq-dev",
    "psych": "libyaml-dev",
    "puma": "libssl-dev",
    "rails": "libyaml-dev",
    "rmagick": "libmagickwand-dev pkg-config",
    "ruby-vips": "libvips-dev",
    "rugged": "cmake libssl-dev pkg-config",
    "sqlite3": "libsqlite3-dev pkg-config",
    "tiny_tds": "freetds-dev",
}
RUBY_SERVICES: Final = {
    "pg": "postgres", "mysql2": "mysql", "redis": "redis", "sidekiq": "redis", "resque": "redis", "mongoid": "mongodb",
    "mongo": "mongodb", "bunny": "rabbitmq", "dalli": "memcached",
}  # fmt: skip
RUBY_FRAMEWORKS: Final = {
    "rails": ("Rails", 3000),
    "sinatra": ("Sinatra", 4567),
    "jekyll": ("Jekyll", 4000),
    "middleman": ("Middleman", 4567),
    "hanami": ("Hanami", 2300),
}
# Extensions that the distribution's php-cli has in it need no package.
PHP_SYSTEM: Final = {
    "ext-amqp": "php-amqp",
    "ext-apcu": "php-apcu",
    "ext-bcmath": "php-bcmath",
    "ext-curl": "php-curl",
    "ext-dom": "php-xml",
    "ext-gd": "php-gd",
    "ext-gmp": "php-gmp",
    "ext-imagick": "php-imagick",
    "ext-intl": "php-intl",
    "ext-ldap": "php-ldap",
    "ext-mbstring": "php-mbstring",
    "ext-memcached": "php-memcached",
    "ext-mongodb": "php-mongodb",
    "ext-mysqli": "php-mysql",
    "ext-pdo_mysql": "php-mysql",
    "ext-pdo_pgsql": "php-pgsql",
    "ext-pdo_sqlite": "php-sqlite3",
    "ext-pgsql": "php-pgsql",
    "ext-redis": "php-redis",
    "ext-simplexml": "php-xml",
    "ext-soap": "php-soap",
    "ext-sqlite3": "php-sqlite3",
    "ext-xml": "php-xml",
    "ext-xmlreader": "php-xml",
    "ext-xmlwriter": "php-xml",
    "ext-xsl": "php-xml",
    "ext-zip": "php-zip",
    "phpunit/phpunit": "php-mbstring php-xml",
    "laravel/framework": "php-mbstring php-xml php-curl",
    "symfony/framework-bundle": "php-mbstring php-xml",
}
PHP_SERVICES: Final = {
    "ext-pgsql": "postgres", "ext-pdo_pgsql": "postgres", "ext-mysqli": "mysql", "ext-pdo_mysql": "mysql",
    "ext-redis": "redis", "predis/predis": "redis", "mongodb/mongodb": "mongodb", "ext-mongodb": "mongodb",
    "php-amqplib/php-amqplib": "rabbitmq", "ext-memcached": "memcached",
}  # fmt: skip
PHP_FRAMEWORKS: Final = {
    "laravel/framework": ("Laravel", 8000),
    "symfony/framework-bundle": ("Symfony", 8000),
    "slim/slim": ("Slim", 8080),
}
JAVA_SERVICES: Final = {
    "postgresql": "postgres", "r2dbc-postgresql": "postgres", "mysql-connector-j": "mysql",
    "mysql-connector-java": "mysql",
    "mariadb-java-client": "mysql", "jedis": "redis", "lettuce-core": "redis",
    "spring-boot-starter-data-redis": "redis",
    "mongodb-driver-sync": "mongodb", "spring-boot-starter-data-mongodb": "mongodb", "amqp-client": "rabbitmq",
    "spring-boot-starter-amqp": "rabbitmq", "kafka-clients": "kafka", "spring-kafka": "kafka",
}  # fmt: skip
JAVA_FRAMEWORKS: Final = {
    "spring-boot-starter-web": ("Spring Boot", 8080),
    "spring-boot-starter-webflux": ("Spring Boot", 8080),
    "quarkus-rest": ("Quarkus", 8080),
    "quarkus-resteasy": ("Quarkus", 8080),
    "micronaut-http-server-netty": ("Micronaut", 8080),
    "javalin": ("Javalin", 7070),
}
ELIXIR_SERVICES: Final = {
    "postgrex": "postgres", "myxql": "mysql", "redix": "redis", "mongodb_driver": "mongodb", "amqp": "rabbitmq",
}  # fmt: skip
ELIXIR_FRAMEWORKS: Final = {"phoenix": ("Phoenix", 4000)}
ELIXIR_SYSTEM: Final = {"bcrypt_elixir": _CC, "argon2_elixir": _CC, "exqlite": _CC}
