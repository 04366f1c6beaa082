"""Looks into one dataset, or builds its token cache ahead: `python -m engine.data.inspect`, for people to see.

Reads one request of `runs.data_inspection` on its input, prints its answers as JSON lines, and ends with its
input, so that nothing goes on for a reader who is gone.
"""

from __future__ import annotations

import os
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import msgspec

from engine.data.documents import DataError, Rows
from engine.data.sources import open_documents
from presets.corpora import label
from presets.schema import DataConfig
from runs.cache_listing import is_being_built
from runs.data_inspection import Answer, Built, Failure, Inspection, Progress, Request, SampleRow
from runs.folder import token_caches_dir
from runs.hub import is_downloaded
from runs.token_caches import cache_key

_MOST_DOCUMENTS = 2_000
_MOST_WORDS = 3_000_000
_MOST_SECONDS = 20.0
_ROW_CHARACTERS = 4_000
_REPORT_EVERY_S = 0.2

Say = Callable[[Answer], None]


@dataclass
class Sample:
    """The first documents of a source. lengths: words of each document that has a usable row."""

    documents: list[Rows] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    left_out: int = 0
    copies: int = 0
    is_whole: bool = True
    broke: str = ""

    @property
    def rows(self) -> Iterable[str]:
        """All rows of all documents, in order."""
        return (row for rows in self.documents for row in rows)


class _Reporter:
    """Says how far a step is, a few times a second."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._phase = ""
        self._said = 0.0

    def __call__(self, phase: str, done: int, total: int, unit: str) -> None:
        now = time.monotonic()
        is_end = bool(total) and done >= total
        if phase != self._phase or is_end or now - self._said >= _REPORT_EVERY_S:
            self._phase, self._said = phase, now
            self._say(Progress(phase, done, total, unit))


def inspect(request: Request, say: Say) -> Inspection:
    """Read the beginning of the dataset and describe it. Raises DataError, ValueError or OSError."""
    from engine.data.sample_tokens import cached_tokenizer, learned_tokenizer, with_tokens

    report = _Reporter(say)
    data, notes = _to_read(request.data)
    documents = open_documents(data, report)
    sample = read_sample(documents.read(), documents.num_documents, report)
    if sample.broke:
        notes.append(f"reading broke off after {len(sample.lengths)} documents: {sample.broke}")
    if not sample.documents:
        raise DataError(
            f"{label(request.data)}: none of the first {sample.left_out:,} documents has a row with at least "
            f"{max(1, request.data.min_words)} words (data.min_words) in the column {request.data.text_column!r}"
        )
    key = cache_key(request.data, labelled=request.labelled)
    folder = token_caches_dir() / key
    found = cached_tokenizer(folder, sample.rows)
    if found is None and request.tokenize:
        report("learning a tokenizer from the sample", 0, 0, "documents")
        found = learned_tokenizer(request.data, list(sample.rows), documents.words)
    shown = [row for _, row in zip(range(request.rows), sample.rows, strict=False)]
    rows = tuple(SampleRow(_shortened(row), len(row.split())) for row in shown)
    num_documents = documents.num_documents
    if not sample.broke and sample.is_whole and num_documents is None:
        num_documents = len(sample.lengths) + sample.left_out
    return Inspection(
        label=label(request.data),
        key=key,
        is_cached=(folder / "manifest.json").is_file(),
        num_documents=num_documents,
        sampled_documents=len(sample.lengths),
        sampled_rows=sum(len(rows) for rows in sample.documents),
        sampled_words=sum(sample.lengths),
        left_out=sample.left_out,
        copies=sample.copies,
        rows=with_tokens(rows, found.tokenizer) if found else rows,
        lengths=histogram(sample.lengths),
        median_words=statistics.median(sample.lengths),
        longest_words=max(sample.lengths),
        commit=documents.commit,
        tokenizer=found.figures if found else None,
        notes=tuple(notes),
    )


def read_sample(documents: Iterable[Rows], total: int | None, report: _Reporter) -> Sample:
    """The first documents: so many, so many words, or for so long, whatever comes first.

    A source that breaks off half-way gives what came before. Raises DataError when nothing did.
    """
    sample = Sample()
    seen: Counter[int] = Counter()
    num_words = 0
    until = time.monotonic() + _MOST_SECONDS
    most = min(total or _MOST_DOCUMENTS, _MOST_DOCUMENTS)
    try:
        for number, rows in enumerate(documents, 1):
            if rows:
                words = sum(len(row.split()) for row in rows)
                num_words += words
                sample.documents.append(rows)
                sample.lengths.append(words)
                seen[hash("\n".join(rows))] += 1
            else:
                sample.left_out += 1
            report("reading the first documents", number, most, "documents")
            if number >= _MOST_DOCUMENTS or num_words >= _MOST_WORDS or time.monotonic() > until:
                sample.is_whole = total is not None and number >= total
                break
    except DataError as error:
        if not sample.documents:
            raise
        sample.broke, sample.is_whole = str(error), False
    sample.copies = sum(count - 1 for count in seen.values())
    return sample


def histogram(lengths: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """(upper bound, how many) pairs with powers of two as bounds, rising, without a gap between first and last."""
    counts = Counter((max(1, length) - 1).bit_length() for length in lengths)
    powers = range(min(counts), max(counts) + 1)
    return tuple((1 << power, counts[power]) for power in powers)


def build(request: Request, say: Say) -> Built:
    """Make the whole token cache, or go on with a half-built one. Raises DataError or OSError."""
    from engine.data.token_cache import open_or_build

    key = cache_key(request.data, labelled=request.labelled)
    began = time.monotonic()
    was_there = (token_caches_dir() / key / "manifest.json").is_file()
    report = _Reporter(say)
    if is_being_built(key):
        report("another process builds this cache; waiting for it", 0, 0, "documents")
    open_or_build(request.data, token_caches_dir(), report, labelled=request.labelled)
    return Built(key, was_there, time.monotonic() - began)


def main() -> int:
    """Answer one request. Returns 0 also for a Failure: that is an answer."""
    answers = os.dup(1)
    os.dup2(2, 1)  # what libraries print goes to the side

    def say(answer: Answer) -> None:
        os.write(answers, msgspec.json.encode(answer) + b"\n")

    try:
        request = msgspec.json.decode(sys.stdin.buffer.readline(), type=Request)
    except msgspec.MsgspecError as error:
        say(Failure(f"the request cannot be understood: {error}"))
        return 2
    threading.Thread(target=_end_with_input, daemon=True).start()
    try:
        say(build(request, say) if request.build else inspect(request, say))
    except (DataError, ValueError, OSError) as error:
        say(Failure(str(error) or type(error).__name__))
    return 0


def _to_read(data: DataConfig) -> tuple[DataConfig, list[str]]:
    """What to open for a look: a hub dataset that is not on this disk is streamed, not downloaded whole."""
    if data.source != "hub" or (data.access == "download" and is_downloaded(data)):
        return data, []
    ahead = msgspec.structs.replace(data, access="stream", shuffle=False, stream_patience=0)
    return ahead, ["read from the hub's beginning, not drawn from all of it"]


def _shortened(row: str) -> str:
    return row if len(row) <= _ROW_CHARACTERS else row[: _ROW_CHARACTERS - 1] + "…"


def _end_with_input() -> None:
    while os.read(0, 4096):
        pass
    os._exit(1)


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    os._exit(status)  # threads of a download that hangs are not waited for
