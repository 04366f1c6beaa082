"""What is found out before a run reads its data."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.distributed import DeviceError
from presets.config import with_values
from presets.schema import RunConfig
from runs.folder import token_caches_dir
from tests.tiny import new_run, prepare_attempt


def test_an_optimizer_that_needs_a_gpu_is_refused_before_any_text_is_read(
    runs_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    folder = new_run(runs_path, with_values(RunConfig(), {"optim.algorithm": "adamw8bit"}))
    with pytest.raises(DeviceError, match=r"set optim\.algorithm=adamw"):
        prepare_attempt(folder)
    assert not token_caches_dir().exists() or not any(token_caches_dir().iterdir())
