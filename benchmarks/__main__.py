"""`python -m benchmarks [--quick]`: all of them. Ends with 1 if a target is missed, but for --quick.

--quick leaves out those whose environments alone take minutes: `change`, `onboard` and `vm`, which can be run by name.
"""

import sys

from benchmarks import attach, build, change, onboard, sync, up, vm

every = [attach.main, up.main, sync.main, build.main]
if "--quick" not in sys.argv:
    every += [onboard.main, change.main, vm.main]
sys.exit(max(run() for run in every))
