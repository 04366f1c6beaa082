"""Datasets and token caches in words: the same figures for the command line and for the Data screen."""

from __future__ import annotations

import time

from runs.cache_format import SplitCounts, Statistics
from runs.cache_listing import CacheInfo, CacheState
from runs.data_inspection import Inspection, TokenizerFigures
from tui.data_catalogue import settings_words
from tui.figures import count, num_bytes, plural, short_duration
from tui.safe_text import safe_text

CACHE_SIGNS: dict[CacheState, str] = {
    "complete": "✓", "building": "●", "half-built": "◌", "damaged": "✗", "older format": "?",
}  # fmt: skip

WHAT_TO_DO: dict[CacheState, str] = {
    "complete": "",
    "building": "a run or a build is at work on it",
    "half-built": "the next run or build that needs it continues it",
    "damaged": "the next run or build that needs it rebuilds what is damaged",
    "older format": "this version does not read it; clear it to have its room",
}

_BLOCKS = " ▏▎▍▌▋▊▉█"
Pairs = tuple[tuple[str, str], ...]


def cache_facts(info: CacheInfo) -> Pairs:
    """What there is to say of a cache, as pairs of a label and words."""
    facts = [("state", state_words(info)), ("dataset", safe_text(info.label, 200))]
    if info.data is not None:
        facts.append(("settings", safe_text(settings_words(info.data), 300)))
    facts.append(("size", f"{num_bytes(info.num_bytes)} in {plural(info.num_shards, 'shard')}"))
    facts.append(("used by", users_words(info)))
    if info.train.documents or info.validation.documents:
        facts.append(("training", split_words(info.train)))
        facts.append(("validation", split_words(info.validation)))
        facts.append(("copies dropped", f"{info.num_duplicates:,}"))
    if info.train.tokens and info.vocab_size:
        facts += [
            ("unknown", percent(info.train.unknown / info.train.tokens)),
            ("tokens a word", f"{info.train.tokens / max(1, info.train.words):.2f}"),
        ]
    if info.statistics is not None:
        facts.append(("vocabulary", coverage_words(info.statistics.vocabulary_used, info.vocab_size)))
    elif info.vocab_size:
        facts.append(("vocabulary", f"{info.vocab_size:,} entries"))
    if info.commit:
        facts.append(("commit", safe_text(info.commit, 64)))
    facts.append(("made", f"{age_words(info.created)}, last used {age_words(info.last_used)}"))
    facts.append(("folder", safe_text(info.path, 500)))
    return tuple(facts)


def inspection_facts(found: Inspection) -> Pairs:
    """What the sample of a dataset says, as pairs of a label and words."""
    total = "documents" if found.num_documents is None else f"of {found.num_documents:,} documents"
    facts = [
        ("read", f"the first {found.sampled_documents + found.left_out:,} {total}"),
        ("in them", f"{count(found.sampled_rows)} rows, {count(found.sampled_words)} words"),
        ("a document", f"{found.median_words:,.0f} words in the middle, {found.longest_words:,} at most"),
    ]
    if found.left_out:
        facts.append(("left out", f"{found.left_out:,} documents without a row that is long enough"))
    if found.copies:
        facts.append(("copies", f"{found.copies:,} documents repeat another"))
    if found.commit:
        facts.append(("commit", safe_text(found.commit, 64)))
    facts += [("note", safe_text(note, 500)) for note in found.notes]
    return tuple(facts)


def tokenizer_facts(figures: TokenizerFigures) -> Pairs:
    """What a tokenizer makes of the text, as pairs of a label and words."""
    return (
        ("measured on", safe_text(figures.origin, 100)),
        ("unknown", f"{percent(figures.unknown_rate)} of the tokens"),
        ("tokens a word", f"{figures.tokens_per_word:.2f}"),
        ("vocabulary", coverage_words(figures.used, figures.vocab_size)),
        (
            "words known",
            f"{percent(figures.words_known)} of the different words, {percent(figures.occurrences_known)} of all",
        ),
    )


def state_words(info: CacheInfo) -> str:
    """`✗ damaged: shard-00001/train.tokens is missing; the next run … rebuilds it`."""
    words = f"{CACHE_SIGNS[info.state]} {info.state}"
    if info.problem:
        words += f": {safe_text(info.problem, 300)}"
    return f"{words}; {WHAT_TO_DO[info.state]}" if WHAT_TO_DO[info.state] else words


def users_words(info: CacheInfo) -> str:
    """The runs that use a cache, the live ones marked."""
    names = [f"{safe_text(user.name, 40)}{' (live)' if user.is_live else ''}" for user in info.used_by]
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more if names else "no run"


def split_words(counts: SplitCounts) -> str:
    """`210 documents, 21,000 rows, 1.6 M words, 2.1 M tokens`."""
    return (
        f"{count(counts.documents)} documents, {count(counts.rows)} rows, {count(counts.words)} words, "
        f"{count(counts.tokens)} tokens"
    )


def coverage_words(used: int, size: int) -> str:
    """How much of a vocabulary occurs."""
    return f"{used:,} of {size:,} entries occur ({percent(used / max(1, size))})"


def longest_words(statistics: Statistics) -> tuple[str, ...]:
    """The longest documents, a line each."""
    return tuple(f"{one.tokens:>9,} tokens  {safe_text(one.start, 60)}" for one in statistics.longest)


def head_words(head: tuple[tuple[str, int], ...]) -> str:
    """The most frequent tokens with their counts, in a line."""
    return "  ".join(f"{safe_text(token, 30)} {count(number)}" for token, number in head)


def histogram_lines(lengths: tuple[tuple[int, int], ...], unit: str, width: int) -> tuple[str, ...]:
    """A bar for each bound, to the eighth of a character; width: columns that a line may have."""
    if not lengths:
        return ()
    most = max(number for _, number in lengths)
    bounds = [f"≤ {bound:,} {unit}" for bound, _ in lengths]
    left = max(map(len, bounds))
    right = max(len(f"{number:,}") for _, number in lengths)
    room = max(4, width - left - right - 2)
    lines = []
    for words, (_, number) in zip(bounds, lengths, strict=True):
        eighths = max(1, round(number / most * room * 8)) if number else 0
        bar = "█" * (eighths // 8) + (_BLOCKS[eighths % 8] if eighths % 8 else "")
        lines.append(f"{words:>{left}} {bar:<{room}} {number:>{right},}")
    return tuple(lines)


def age_words(moment: float) -> str:
    """`3h ago`; moment in Unix seconds."""
    seconds = max(0.0, time.time() - moment)
    return "just now" if seconds < 60 else f"{short_duration(seconds)} ago"


def percent(share: float) -> str:
    """`0.31 %`, `12.4 %`, `98 %`."""
    value = 100 * share
    return (
        f"{value:.0f} %" if value >= 99.95 or value == 0 else f"{value:.2f} %" if value < 1 else f"{value:.1f} %"
    )
