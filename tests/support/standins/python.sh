# Makes /srv a mirror for uv that has one Python, 3.10.99, which is a script.
set -eu
mkdir -p /srv/python/bin /srv/python/lib/python3.10
printf '#!/bin/sh\necho 3.10.99\n' > /srv/python/bin/python3.10
chmod 0755 /srv/python/bin/python3.10
for name in python python3; do ln -s python3.10 /srv/python/bin/$name; done
printf '# system configuration generated and used by the sysconfig module\nbuild_time_vars = {}\n' > /srv/python/lib/python3.10/_sysconfigdata__linux_x86_64-linux-gnu.py
tar -C /srv -czf /srv/python.tar.gz python
hash=$(sha256sum /srv/python.tar.gz | cut -c 1-64)
cat > /srv/python.json <<end
{"cpython-3.10.99-linux-x86_64-gnu": {"name": "cpython", "arch": {"family": "x86_64", "variant": null},
 "os": "linux", "libc": "gnu", "major": 3, "minor": 10, "patch": 99, "prerelease": "", "variant": null, "build": "1",
 "url": "file:///srv/python.tar.gz", "sha256": "$hash"}}
end
