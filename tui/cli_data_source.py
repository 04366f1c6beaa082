"""`data show` and `data build`: what a child process finds out about a dataset, or builds of it."""

from __future__ import annotations

import argparse
from typing import Any

import msgspec

from presets.config import ConfigError
from runs.cache_listing import list_caches
from runs.data_inspection import Built, DataProcess, Failure, Inspection, Progress, Request
from runs.folder import runs_dir
from tui.cli_output import DONE, FAILED, WrongRequest, say, say_json, warn
from tui.cli_status_line import StatusLine
from tui.data_catalogue import Dataset, UnknownName, resolve, settings_words
from tui.data_words import head_words, histogram_lines, inspection_facts, tokenizer_facts
from tui.figures import duration
from tui.progress_words import progress_words

_WIDTH = 78
_LABEL = 16
_ROW_CHARACTERS = 300
_TOKENS = 40
_MOST_ROWS = 1000


def show(options: argparse.Namespace) -> int:
    """Print rows of a dataset and what they are like."""
    if not 0 <= options.rows <= _MOST_ROWS:
        raise WrongRequest(f"--rows: {options.rows} is not between 0 and {_MOST_ROWS}")
    dataset = _the_dataset(options)
    request = Request(dataset.data, rows=options.rows, tokenize=options.tokenize, labelled=dataset.labelled)
    line = StatusLine(quiet=options.json)
    answer: Any = None
    with DataProcess(request) as process:
        for answer in process.answers():
            if isinstance(answer, Progress):
                line.show(progress_words(answer), answer.phase)
    line.clear()
    if not isinstance(answer, Inspection):
        return _fail(options, answer)
    if options.json:
        say_json({"dataset": msgspec.to_builtins(dataset), **msgspec.to_builtins(answer)})
    else:
        _say_inspection(dataset, answer)
    return DONE


def build(options: argparse.Namespace) -> int:
    """Build the token cache that a run with these settings would need."""
    dataset = _the_dataset(options, as_written=True)
    line = StatusLine(quiet=options.json)
    answer: Any = None
    request = Request(dataset.data, build=True, labelled=dataset.labelled)
    try:
        with DataProcess(request) as process:
            for answer in process.answers():
                if options.json:
                    say_json(answer)
                elif isinstance(answer, Progress):
                    line.show(progress_words(answer), answer.phase)
    except KeyboardInterrupt:
        line.clear()
        warn("interrupted; the finished shards stay, and the next build continues there")
        raise
    line.clear()
    if not isinstance(answer, Built):
        return FAILED if options.json else _fail(options, answer)
    if not options.json:
        done = "was there already" if answer.was_there else f"is built, in {duration(answer.elapsed_s)}"
        say(f"token cache {answer.key} {done}")
    return DONE


def _the_dataset(options: argparse.Namespace, as_written: bool = False) -> Dataset:
    """as_written: with the settings that the name itself means, not those of a cache that is there."""
    overrides = tuple(options.set)
    try:
        caches = () if as_written or overrides else list_caches(runs_dir(options.runs_dir))
        return resolve(options.name, overrides, caches)
    except (UnknownName, ConfigError) as error:
        raise WrongRequest(str(error)) from None


def _fail(options: argparse.Namespace, answer: Any) -> int:
    failure = answer if isinstance(answer, Failure) else Failure("the process that reads the data said nothing")
    if options.json:
        say_json(failure)
    warn(failure.error)
    for line in failure.report.splitlines():
        warn(f"  {line}")
    return FAILED


def _say_inspection(dataset: Dataset, found: Inspection) -> None:
    say(f"{found.label}{': ' + dataset.about if dataset.about else ''}")
    _say_pair("settings", settings_words(dataset.data))
    for name, words in inspection_facts(found):
        _say_pair(name, words)
    _say_pair("token cache", f"{found.key}, {'complete' if found.is_cached else 'not built yet'}")
    say()
    say("length of the documents")
    for line in histogram_lines(found.lengths, "words", _WIDTH):
        say(line)
    if found.tokenizer is not None:
        say()
        say("tokenizer")
        for name, words in tokenizer_facts(found.tokenizer):
            _say_pair(name, words)
        _say_pair("most frequent", head_words(found.tokenizer.head[:12]))
    else:
        _say_pair("tokenizer", "none is learned yet; --tokenize learns one from these rows")
    if found.tokenizer is not None and found.tokenizer.longest:
        say()
        say("longest documents")
        for one in found.tokenizer.longest:
            say(f"{one.tokens:>9,} tokens  {one.start[:60]}")
    for row in found.rows:
        say()
        text = row.text if len(row.text) <= _ROW_CHARACTERS else row.text[: _ROW_CHARACTERS - 1] + "…"
        say(f"[{row.words:,} words] {text}")
        if row.tokens:
            say(f"  → {' '.join(row.tokens[:_TOKENS])}{' …' if len(row.tokens) > _TOKENS else ''}")


def _say_pair(name: str, words: str) -> None:
    say(f"  {name:<{_LABEL}} {words}")
