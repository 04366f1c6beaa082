"""`data`: datasets and token caches, listed, described, verified and cleared."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import msgspec

from runs.cache_listing import CacheInfo, CacheNotFound, DiskUsage, disk_usage, find_cache, list_caches
from runs.cache_management import CacheBusy, clear, clear_all
from runs.cache_verification import Verification, verify
from runs.folder import runs_dir
from tui.cli_data_source import build, show
from tui.cli_output import DONE, FAILED, WrongRequest, say, say_json, say_table, warn
from tui.cli_status_line import StatusLine
from tui.data_catalogue import Dataset, all_datasets, caches_of, named_datasets
from tui.data_words import (
    CACHE_SIGNS,
    age_words,
    cache_facts,
    head_words,
    histogram_lines,
    longest_words,
    users_words,
)
from tui.figures import num_bytes, plural

_WIDTH = 78
_LABEL = 16


def data(options: argparse.Namespace) -> int:
    """Do what the action says."""
    actions = {
        "overview": _overview, "list": _list, "show": show, "caches": _caches, "info": _info,
        "clear": _clear, "usage": _usage, "verify": _verify, "build": build,
    }  # fmt: skip
    return actions[options.action](options)


def _overview(options: argparse.Namespace) -> int:
    caches = list_caches(runs_dir(options.runs_dir))
    usage = disk_usage(caches)
    if options.json:
        datasets = [_dataset_document(one, caches) for one in named_datasets()]
        say_json({"datasets": datasets, "caches": [cache_document(one) for one in caches], "usage": usage})
        return DONE
    _say_datasets(named_datasets(), caches)
    say()
    if caches:
        _say_caches(caches)
    say(_usage_sentence(usage))
    return DONE


def _list(options: argparse.Namespace) -> int:
    runs = runs_dir(options.runs_dir)
    caches = list_caches(runs)
    datasets = all_datasets(runs)
    if options.json:
        say_json([_dataset_document(one, caches) for one in datasets])
    else:
        _say_datasets(datasets, caches)
    return DONE


def _caches(options: argparse.Namespace) -> int:
    caches = list_caches(runs_dir(options.runs_dir))
    if options.json:
        say_json([cache_document(one) for one in caches])
    elif caches:
        _say_caches(caches)
    else:
        warn(_usage_sentence(disk_usage(())))
    return DONE


def _info(options: argparse.Namespace) -> int:
    info = _the_cache(options)
    if options.json:
        say_json(cache_document(info))
        return DONE
    say(f"token cache {info.key}")
    say_facts(cache_facts(info))
    if info.statistics is not None:
        say()
        say("length of the training documents")
        for line in histogram_lines(info.statistics.lengths, "tokens", _WIDTH):
            say(line)
        say()
        say("longest documents")
        for line in longest_words(info.statistics):
            say(line)
        say()
        say(f"most frequent    {head_words(info.statistics.head[:12])}")
    return DONE


def _usage(options: argparse.Namespace) -> int:
    usage = disk_usage(list_caches(runs_dir(options.runs_dir)))
    if options.json:
        say_json(usage)
    else:
        say(_usage_sentence(usage))
    return DONE


def _clear(options: argparse.Namespace) -> int:
    if options.all == bool(options.key):
        raise WrongRequest("say which cache to clear: tinytrain-tui data clear KEY, or data clear --all")
    runs = runs_dir(options.runs_dir)
    chosen = list_caches(runs) if options.all else (_the_cache(options),)
    if not chosen:
        _say_cleared(options, 0, (), 0)
        return DONE
    if not options.yes and not _is_sure(chosen):
        warn("nothing was cleared")
        return DONE
    if options.all:
        freed, kept = clear_all(force=options.force, runs=runs)
    else:
        try:
            freed, kept = clear(chosen[0].key, force=options.force, runs=runs), ()
        except (CacheBusy, CacheNotFound) as error:
            raise WrongRequest(f"{error} (--force does)" if isinstance(error, CacheBusy) else str(error)) from None
    _say_cleared(options, freed, kept, len(chosen) - len(kept))
    return DONE


def _say_cleared(options: argparse.Namespace, freed: int, kept: tuple[str, ...], num_cleared: int) -> None:
    if options.json:
        say_json({"cleared": num_cleared, "freed_bytes": freed, "kept": kept})
        return
    say(f"cleared {plural(num_cleared, 'cache')}, {num_bytes(freed)}")
    for sentence in kept:
        warn(f"kept: {sentence}")


def _is_sure(chosen: tuple[CacheInfo, ...]) -> bool:
    """Ask on the terminal. Raises WrongRequest where there is none."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise WrongRequest("nobody can be asked here; add --yes to clear without a question")
    size = num_bytes(sum(info.num_bytes for info in chosen))
    one = chosen[0]
    what = f"cache {one.key} ({one.label}, {size})" if len(chosen) == 1 else f"{len(chosen)} caches, {size}"
    warn(f"This deletes {what}. Runs keep their checkpoints; what is needed again is built again.")
    print("Type yes to go on: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _verify(options: argparse.Namespace) -> int:
    runs = runs_dir(options.runs_dir)
    chosen = (_the_cache(options),) if options.key else list_caches(runs)
    found: list[Verification] = []
    line = StatusLine(quiet=options.json)
    for info in chosen:
        if not Path(info.path).is_dir():
            continue  # its build has written nothing yet

        def report(done: int, total: int, key: str = info.key) -> None:
            line.show(f"{key}: {num_bytes(done)} of {num_bytes(total)}")

        try:
            found.append(verify(info.key, report))
        except CacheNotFound:
            continue  # cleared meanwhile
        line.clear()
        if not options.json:
            say(f"{'✓' if found[-1].is_intact else '✗'} {found[-1].sentence()}")
    if options.json:
        say_json([{**msgspec.to_builtins(one), "is_intact": one.is_intact} for one in found])
    elif not found:
        warn("there is no token cache to verify")
    return DONE if all(one.is_intact for one in found) else FAILED


def _the_cache(options: argparse.Namespace) -> CacheInfo:
    try:
        return find_cache(options.key, runs_dir(options.runs_dir))
    except CacheNotFound as error:
        raise WrongRequest(str(error)) from None


def _say_datasets(datasets: tuple[Dataset, ...], caches: tuple[CacheInfo, ...]) -> None:
    rows = [("dataset", "from", "size", "caches", "what it is")]
    for dataset in datasets:
        states = [info.state for info in caches_of(dataset, caches)]
        rows.append((dataset.name, dataset.origin, dataset.size, _cached_words(states), dataset.about))
    say_table(rows)


def _cached_words(states: list[Any]) -> str:
    complete = states.count("complete")
    return f"{complete}" if complete == len(states) else f"{complete} of {len(states)} whole"


def _say_caches(caches: tuple[CacheInfo, ...]) -> None:
    header = ("", "state", "key", "dataset", "tokens", "size", "used", "by")
    rows = [
        (
            *(CACHE_SIGNS[one.state], one.state, one.key, one.label),
            *(f"{one.train.tokens + one.validation.tokens:,}", num_bytes(one.num_bytes)),
            *(age_words(one.last_used) if one.last_used else "-", users_words(one)),
        )
        for one in caches
    ]
    say_table([header, *rows])


def _usage_sentence(usage: DiskUsage) -> str:
    disk = f"{num_bytes(usage.free_bytes)} of {num_bytes(usage.disk_bytes)} are free there"
    if not usage.num_caches:
        return f"no token caches in {usage.path}; a run makes one, or tinytrain-tui data build PRESET ({disk})"
    waste = f", {num_bytes(usage.reclaimable_bytes)} of it unfinished, damaged or of an older format"
    size = f"{plural(usage.num_caches, 'token cache')}, {num_bytes(usage.cache_bytes)}"
    return f"{size}{waste if usage.reclaimable_bytes else ''}, in {usage.path} ({disk})"


def say_facts(facts: tuple[tuple[str, str], ...]) -> None:
    """A label and what is said of it, a line each."""
    for name, words in facts:
        say(f"  {name:<{_LABEL}} {words}")


def cache_document(info: CacheInfo) -> Any:
    """A cache as JSON."""
    return msgspec.to_builtins(info)


def _dataset_document(dataset: Dataset, caches: tuple[CacheInfo, ...]) -> Any:
    keys = [info.key for info in caches_of(dataset, caches)]
    return {**msgspec.to_builtins(dataset), "caches": keys}
