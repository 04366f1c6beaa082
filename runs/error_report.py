"""A rank's last words, and the word for what kind of failure they tell of."""

from __future__ import annotations

from typing import Literal

import msgspec

Cause = Literal["", "out of memory", "killed", "crash", "disk full", "hang", "import", "data", "error"]
"""What kind of failure ended a run, in a word or two; empty when nobody looked for it yet."""


class ErrorReport(msgspec.Struct, frozen=True):
    """A rank's last words in `ranks/error-<rank>.json`; the earliest becomes the attempt's `error.json`.

    monotonic_ns orders ranks of one host better than wall time does. host: the machine the rank was on.
    """

    rank: int
    exception: str
    message: str
    traceback: str
    time: float
    monotonic_ns: int
    step: int = 0
    hint: str = ""
    host: str = ""
    cause: Cause = ""
