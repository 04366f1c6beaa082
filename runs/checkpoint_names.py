"""Checkpoints by their names, for those who know nothing of tensors; what a file in a run says is never a path."""

from __future__ import annotations

import re
from pathlib import Path

from runs.safe_files import read_text

NAME = re.compile(r"step-\d{8,18}", re.ASCII)
"""What folders of checkpoints are called."""

POINTERS = ("last", "best")
_MOST_BYTES = 100


def pointed_at(checkpoints: Path, pointer: str) -> str:
    """The checkpoint that `last` or `best` names; empty when that says nothing, or something else than a name."""
    try:
        name = read_text(checkpoints / pointer, _MOST_BYTES).strip()
    except (OSError, UnicodeDecodeError):
        return ""
    return name if NAME.fullmatch(name) else ""


def called(checkpoints: Path, reference: str) -> str:
    """The name that `last`, `best`, a step or a name stands for; empty for what is none. It need not be there."""
    if reference in POINTERS:
        return pointed_at(checkpoints, reference)
    name = f"step-{reference.lstrip('0'):0>8}" if reference.isascii() and reference.isdigit() else reference
    return name if NAME.fullmatch(name) else ""
