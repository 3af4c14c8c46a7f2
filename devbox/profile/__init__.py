"""Profile: the parsed, validated `devbox.toml` after all layers are merged. Parsing runs nothing."""
