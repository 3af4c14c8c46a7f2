#!/bin/sh
# The demo: one example goes up, its tests run inside, and you are told what happened and what to type next.
set -eu
cd "$(dirname "$0")/.."
devbox=.venv/bin/devbox
project=examples/python-flask

show() {
    printf '\n$ %s\n' "$*"
    "$@"
}

printf 'The project is %s: a Flask service, its tests, and this devbox.toml:\n\n' "$project"
sed 's/^/    /' "$project/devbox.toml"

show "$devbox" -C "$project" up
show "$devbox" -C "$project" shell -- pytest -q
show "$devbox" -C "$project" status

cat <<TEXT

What happened: the base came from a registry or the distribution's archive, each step above became a layer of an
image, a container was made from it with $project mounted inside, and the tests ran in there as you.
Nothing was installed on this machine for the project. A second \`make demo\` finds it all and runs no step.

Type next:
  cd $project
  ../../$devbox shell              # you are inside; exit leaves it running
  ../../$devbox shell -- flask run --port 8000
  ../../$devbox status             # what runs, on which ports
  ../../$devbox destroy -f         # it is gone, your files are not
TEXT
