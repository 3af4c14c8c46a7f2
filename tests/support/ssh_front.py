"""A ProxyCommand for tests: the ssh front before an agent, without an engine. Arguments: a JSON file of `Front`."""

import json
import sys
from pathlib import Path

from devbox.ssh.guest import Front
from devbox.ssh.server import serve

if __name__ == "__main__":
    values = json.loads(Path(sys.argv[1]).read_text())
    lists = {name: tuple(values[name]) for name in ("shell", "command")}
    pairs = {name: tuple((key, value) for key, value in values[name]) for name in ("env", "env_of_others")}
    serve(Front(**(values | lists | pairs | {"host_key": Path(values["host_key"])})))
