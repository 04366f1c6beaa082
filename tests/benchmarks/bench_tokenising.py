"""Tokenising the embedded corpus ten times over: our cache build beside `encode_batch` itself, and memory."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from engine.data import building
from engine.data.encoding import encode_long_rows
from engine.data.sources import open_documents
from engine.data.token_cache import open_or_build
from engine.data.tokenizers import load_tokenizer
from presets.schema import DataConfig

COPIES = 10
REPEATS = 3
PEER_ROWS = 100  # encoded at once by the peer, so that its memory is bounded too


def main() -> None:
    """Each measurement in a process of its own, ours and the peer's in turn."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        words = write_corpus(folder / "corpus.jsonl", COPIES)
        write_corpus(folder / "tenth.jsonl", 1)
        open_or_build(DataConfig(), folder / "one", lambda *_: None)  # its tokenizer is used by all
        (tokenizer,) = (folder / "one").glob("*/tokenizer.json")
        tokenizer.rename(folder / "tokenizer.json")
        figures: dict[str, list[dict[str, float]]] = {"peer": [], "encoding": [], "build": []}
        for _ in range(REPEATS):
            for kind, found in figures.items():
                found.append(measure(kind, folder))
    seconds = {kind: statistics.median(f["seconds"] for f in found) for kind, found in figures.items()}
    memory = {kind: max(f["megabytes"] for f in found) for kind, found in figures.items()}
    labels = {"peer": "tokenizers' encode_batch", "encoding": "our encoding of rows", "build": "whole cache build"}
    for kind, label in labels.items():
        print(
            f"{label:<28} {seconds[kind]:6.1f} s  {words / seconds[kind] / 1e6:5.2f} M words/s  "
            f"{seconds[kind] / seconds['peer']:4.2f} × the peer's time  {memory[kind]:6.0f} MB at most"
        )
    tenth = measure("tenth", folder)["megabytes"]
    print(f"the same build of a tenth of the text: {tenth:.0f} MB at most")


def write_corpus(path: Path, copies: int) -> int:
    """The embedded corpus several times, each copy's documents told apart by a number; returns its words."""
    documents = [rows[0] for rows in open_documents(DataConfig(lowercase=False), lambda *_: None).read()]
    with path.open("wb") as file:
        for copy in range(copies):
            for text in documents:
                file.write(msgspec.json.encode({"text": f"{copy} {text}"}) + b"\n")
    return copies * sum(len(text.split()) for text in documents)


def measure(kind: str, folder: Path) -> dict[str, float]:
    """Seconds and peak megabytes of one pass in a fresh process."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.bench_tokenising", kind, str(folder)],
        check=True,
        stdout=subprocess.PIPE,
        env={**os.environ, "HF_HOME": str(folder / "hf")},
    )
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def one_pass(kind: str, folder: Path) -> float:
    """Seconds of the pass itself, without imports and reading the file."""
    name = "tenth.jsonl" if kind == "tenth" else "corpus.jsonl"
    data = DataConfig(
        source="files", dataset=str(folder / name), tokenizer="existing",
        tokenizer_from=str(folder / "tokenizer.json"),
    )  # fmt: skip
    if kind in ("build", "tenth"):
        open_documents(data, lambda *_: None)  # `datasets` makes its copy of the file once
        started = time.perf_counter()
        with tempfile.TemporaryDirectory(dir=folder) as caches:
            building.build(data, "key", Path(caches) / "key", lambda *_: None)
            return time.perf_counter() - started
    tokenizer = load_tokenizer(folder / "tokenizer.json")
    rows = [msgspec.json.decode(line)["text"] for line in (folder / "corpus.jsonl").read_bytes().splitlines()]
    started = time.perf_counter()
    for first in range(0, len(rows), PEER_ROWS):
        part = rows[first : first + PEER_ROWS]
        if kind == "peer":
            tokenizer.encode_batch(part, add_special_tokens=False)
        else:
            encode_long_rows(tokenizer, part)
    return time.perf_counter() - started


if __name__ == "__main__":
    if len(sys.argv) > 2:
        seconds = one_pass(sys.argv[1], Path(sys.argv[2]))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        print(json.dumps({"seconds": seconds, "megabytes": peak}))
    else:
        main()
