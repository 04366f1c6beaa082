"""What every end-to-end test gets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.tmux import Terminal


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """A tmux window of 120 × 40."""
    opened = Terminal(tmp_path)
    yield opened
    opened.close()
