"""The runs whose losses are kept, one an objective, and where they are bit for bit the same."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from presets.fields import Value
from runs.records import RecordTail
from tests.tiny import new_run, tiny_config, train

FOLDER = Path(__file__).resolve().parent
_LABELLED = ("the king and the people went to war", "a law was made by the congress", "peace and trade with all")

RECIPES: dict[str, dict[str, Value]] = {
    "mlm": {},
    "clm": {"objective__kind": "clm", "probes__texts": ("the people",)},
    "nsp": {"objective__kind": "nsp", "model__segments": 2},
    "sop": {"objective__kind": "sop", "model__segments": 2},
    "classification": {
        "objective__kind": "classification", "data__source": "files", "data__long_documents": "truncate",
        "data__max_samples": 0, "data__deduplicate": False, "probes__texts": ("the people went to war",),
    },
}  # fmt: skip


def golden_file(name: str) -> Path:
    """Where the losses of an objective are kept."""
    return FOLDER / f"{name}.json"


@contextmanager
def one_thread() -> Iterator[None]:
    """Sums of several threads are added in another order; how many this process had comes back."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def machine() -> dict[str, str]:
    """What the last bits of a sum depend on: other kernels, or other threads, add in another order."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    wanted = [flag for flag in facts.get("flags", "").split() if flag.startswith(("avx", "amx", "fma"))]
    with one_thread():  # as `losses_of` trains
        threads = torch.get_num_threads()
    return {
        "torch": str(torch.__version__),
        "cpu": " ".join(facts.get(key, "?") for key in ("model name", "cpu family", "model", "cache size")),
        "instructions": " ".join(sorted(wanted)),
        "kernels": torch.backends.cpu.get_cpu_capability(),
        "threads": str(threads),
    }


def losses_of(name: str, runs: Path) -> dict[str, list[float]]:
    """Train the recipe on one thread in a runs folder, and return its losses by the name of the metric."""
    changes = dict(RECIPES[name])
    with tempfile.TemporaryDirectory() as folder:
        if changes.get("data__source") == "files":
            path = Path(folder) / "labelled.csv"
            rows = [f'"{_LABELLED[n % 3]} {n % 7}",{["war", "law", "trade"][n % 3]}' for n in range(120)]
            path.write_text("text,label\n" + "\n".join(rows) + "\n", encoding="utf-8")
            changes["data__dataset"] = str(path)
        run = new_run(runs, tiny_config(train__log_every=1, train__max_steps=12, **changes))
        with one_thread():
            train(run)
    records: list[dict[str, Any]] = RecordTail(run.attempts()[0].metrics_file).poll_all()
    return {key: [record[key] for record in records if key in record] for key in ("loss", "val_loss")}


def read(name: str) -> dict[str, Any]:
    """The kept losses, and the machine that they are from."""
    kept: dict[str, Any] = json.loads(golden_file(name).read_text(encoding="utf-8"))
    return kept
