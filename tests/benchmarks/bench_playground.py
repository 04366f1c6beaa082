"""How fast the Playground answers, once the model is loaded: in its process, and from a key to the settled screen.

`python -m tests.benchmarks.bench_playground [--quick]` prints a table in markdown. The models have the sizes of
presets and are not trained, which costs the same. Tokens of a masked model are hidden one after the other, so that
the view of tokens takes as many rows as the text has; it is measured beside the words, as a wide screen shows it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

from engine.checkpoints import CheckpointStore, TrainState
from engine.data.tokenizers import make_tokenizer
from engine.models.build import build_model
from presets.catalog import find_preset
from presets.config import to_toml
from presets.schema import MASK_TOKEN, RunConfig
from runs.folder import RunFolder, create_run
from runs.playground import MOST_SHOWN, Answer, Request, View
from runs.playground_process import PlaygroundProcess
from tests.benchmarks.bench_dashboard import Place, Table

PRESETS = ("quickstart", "quickstart-clm", "v2-hf-medium", "hf-large")
BAR_S = 0.1
_SENTENCE = "the people of the united states shall choose a new government every year"
_VIEWS: tuple[tuple[View, ...], ...] = (("likely",), ("likely", "losses"), ("likely", "attention"))
_SETTLE_S = 0.6


def untrained(runs: Path, preset: str) -> RunFolder:
    """A run with one checkpoint of the preset's size: a full vocabulary, weights as they begin."""
    config = find_preset(preset).config
    words = " ".join(f"{_SENTENCE} w{number}" for number in range(config.data.vocab_size))
    run = create_run(runs, config, preset=preset)
    tokenizer = make_tokenizer([words], config.data, None)
    model = build_model(config, tokenizer.get_vocab_size())
    model.initialise(0)
    texts = {"tokenizer.json": tokenizer.to_str(), "config.toml": to_toml(config)}
    store = CheckpointStore(run.checkpoints_dir)
    store.save(model.state_dict(), {}, TrainState(step=1), texts, is_best=True, keep=1)
    return run


def text_for(config: RunConfig) -> str:
    """Thirteen words; the last one is a mask where the model fills any."""
    return f"{_SENTENCE.rpartition(' ')[0]} {MASK_TOKEN}" if config.objective.has_masks else _SENTENCE


def answers(run: RunFolder, rounds: int, table: Table) -> None:
    """Ask its process; what loading takes does not count."""
    name, text = run.about().preset, text_for(run.config())
    with PlaygroundProcess() as process:
        said = process.said()

        def ask(views: tuple[View, ...], text: str) -> float:
            began = time.perf_counter()
            process.ask(Request(str(run.path), text, top_k=MOST_SHOWN, views=views))
            answer = next(one for one in said if isinstance(one, Answer))
            assert not answer.problems, answer.problems
            return time.perf_counter() - began

        for views in _VIEWS:
            ask(views, text)
            # another text each time: what was worked out for one is not asked for again
            seconds = [ask(views, text.replace("new", f"w{number}")) for number in range(rounds)]
            table.add(f"{name}: {' and '.join(views)}", f"≤ {1e3 * BAR_S:.0f} ms", spread(seconds))


def keys(place: Place, run: RunFolder, rounds: int, table: Table) -> None:
    """Letters typed into the text, each when the answer to the one before stands there."""
    with place.dashboard() as program:
        program.see(r"Launch")
        program.press("5")
        program.see(r"\d tokens? of \d", 60.0)
        program.wait_quiet(1.0, 30.0)
        program.press("e")
        program.wait_quiet(0.5, 10.0)
        lags = []
        for number in range(rounds):
            pressed = program.press("\x7f" if number % 2 else "a")
            time.sleep(_SETTLE_S)
            lags.append(program.last_output() - pressed)
    if min(lags) <= 0:
        raise RuntimeError("a letter changed nothing on the screen")
    table.add(f"{run.about().preset}: letter to settled screen, words and tokens", "≤ 100 ms", spread(lags))


def spread(seconds: list[float]) -> str:
    """Median and 95th percentile."""
    high = sorted(seconds)[min(len(seconds) - 1, int(0.95 * len(seconds)))]
    return f"p50 {1e3 * statistics.median(seconds):.0f} ms, p95 {1e3 * high:.0f} ms"


def main() -> None:
    """Print each row as it is found, then the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--only", default="", help="presets whose name has this in it")
    options, _ = parser.parse_known_args()
    rounds, table = (10 if options.quick else 40), Table()
    with tempfile.TemporaryDirectory() as folder:
        for preset in PRESETS:
            if options.only in preset:
                place = Place(Path(folder) / preset)
                run = untrained(place.runs, preset)
                answers(run, rounds, table)
                keys(place, run, rounds, table)
    print(f"\n{table}\n\nload average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
