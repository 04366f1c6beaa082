"""`python -m tui` is `tinytrain-tui`."""

from tui.cli import main

raise SystemExit(main())
