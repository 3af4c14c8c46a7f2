"""`python -m devbox` does what the command does."""

from devbox.launcher import main

raise SystemExit(main())
