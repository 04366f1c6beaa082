"""Runs whose models answer in hostile words: `python -m tests.faults.hostile_checkpoint RUNS NAME`.

Each run is trained for a few steps in earnest. Then every word of its vocabulary but a few becomes a payload, its
settings and its name are hostile, and the manifests say that all this is as it ought to be. What stands after the
last colon of a NAME is the kind of its objective.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import msgspec

from presets import config as configs
from runs.folder import RunFolder
from tests.faults.payloads import payloads, writable
from tests.faults.resealing import reseal
from tests.tiny import new_run, tiny_config, train

_KEPT = frozenset({"the", "people", "of", "and", "to"})  # so that a sentence still has words that the model knows
_LONGEST_NAME = 60


def make(runs: Path, name: str) -> RunFolder:
    """Train a run with two checkpoints, and spoil its texts."""
    name, _, kind = name.rpartition(":")
    config = tiny_config(
        objective__kind=kind, train__max_steps=4, train__eval_every=2, train__checkpoint_every=2, probes__every=2
    )
    making = runs.with_name("making")  # nobody shall see it half made
    making.mkdir(mode=0o700, exist_ok=True)
    folder = new_run(making, config)
    train(folder)
    texts = cycle(writable(text) for text in payloads())
    for path in sorted(folder.checkpoints_dir.glob("step-*")):
        _spoil_words(path / "tokenizer.json", texts)
        reseal(path)
    hostile = configs.with_values(
        config, {"data.dataset": next(texts)[:200], "data.text_column": next(texts)[:60]}
    )
    folder.config_file.write_text(configs.to_toml(hostile), encoding="utf-8")
    about = msgspec.structs.replace(
        folder.about(), name=name[:_LONGEST_NAME], tags=(next(texts)[:100],),
        preset=next(texts)[:60], sweep=next(texts)[:60], created=1_577_836_800.0,
    )  # fmt: skip
    folder.write_about(about)
    old = (
        runs / f"20200101-{folder.id.partition('-')[2]}"
    )  # so that another run is the newest, whenever this is done
    folder.path.rename(old)
    return RunFolder(old)


def _spoil_words(file: Path, texts: Iterator[str]) -> None:
    """Every word but the kept ones and the special tokens becomes a payload; ids stay."""
    document = json.loads(file.read_text(encoding="utf-8"))
    vocabulary: dict[str, int] = document["model"]["vocab"]
    special = {token["content"] for token in document["added_tokens"]}
    document["model"]["vocab"] = {
        word if word in special | _KEPT else f"{next(texts)[:300]}{number}": number
        for word, number in vocabulary.items()
    }
    file.write_text(json.dumps(document), encoding="utf-8")


def main() -> None:
    """See the module's text."""
    runs, *names = sys.argv[1:]
    for name in names:
        make(Path(runs), name)


if __name__ == "__main__":
    main()
