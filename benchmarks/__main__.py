"""`python -m benchmarks [--quick]`: all of them. Ends with 1 if a target is missed, but for --quick."""

import sys

from benchmarks import attach, build, change, onboard, up

sys.exit(max(attach.main(), up.main(), build.main(), onboard.main(), change.main()))
