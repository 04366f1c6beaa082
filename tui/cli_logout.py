"""What a verb that starts a run says when the run would end with the login."""

from __future__ import annotations

import argparse

from runs.logout import logout_risk
from tui.cli_output import WrongRequest, warn


def heed_logout(options: argparse.Namespace) -> None:
    """Warn of a run that would end with the login; raise WrongRequest when that needs a word first."""
    risk = logout_risk()
    if risk is None:
        return
    mended = f"{risk.sentence}; this mends it: {risk.advice}"
    if risk.blocks and not options.despite_logout:
        raise WrongRequest(f"{mended} (or give --despite-logout to start it all the same)")
    warn(mended)
