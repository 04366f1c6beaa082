"""Looking into a dataset, and building its token cache ahead: the child process that does it, and what it says.

The child is `python -m engine.data.inspect`: it reads one Request on its stdin and prints a line for every
Progress, then one Inspection, Built or Failure. It ends when its stdin does, so it never outlives its reader.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from presets.schema import DataConfig
from runs.cache_format import LongDocument
from runs.line_process import LineProcess
from runs.pace import Pace


class Request(msgspec.Struct, frozen=True):
    """rows: how many real rows to show. tokenize: without a cache, learn a tokenizer from the sample.

    build: make the whole token cache instead. labelled: the one with a label for each document.
    """

    data: DataConfig
    rows: int = 20
    tokenize: bool = False
    build: bool = False
    labelled: bool = False


class Progress(msgspec.Struct, frozen=True, tag="progress", tag_field="kind"):
    """How far a step is. total: 0 while unknown. rate: units a second, eta_s: to the end; None until known."""

    phase: str
    done: int
    total: int
    unit: str
    rate: float | None = None
    eta_s: float | None = None


class SampleRow(msgspec.Struct, frozen=True):
    """A real row, cleaned. text may be cut; words counts all of it. tokens: as a person reads them, may be cut."""

    text: str
    words: int
    tokens: tuple[str, ...] = ()


class TokenizerFigures(msgspec.Struct, frozen=True):
    """What a tokenizer makes of the text. origin: of the whole cache's training split, or of the sample alone.

    used: entries that occur. unknown_rate: share of tokens that are [UNK]. words_known: share of the sample's
    distinct words that hold no [UNK]; occurrences_known: the same, each word as often as it occurs.
    head: most frequent tokens and their counts. longest: the longest documents.
    """

    origin: str
    vocab_size: int
    used: int
    unknown_rate: float
    tokens_per_word: float
    words_known: float
    occurrences_known: float
    head: tuple[tuple[str, int], ...] = ()
    longest: tuple[LongDocument, ...] = ()


class Inspection(msgspec.Struct, frozen=True, tag="inspection", tag_field="kind"):
    """What the first documents of a dataset are like.

    num_documents: of all of it, None where only reading to the end would tell. sampled_*: what the figures come
    from; left_out: documents of the sample without a usable row; copies: documents that repeat another.
    lengths: (upper bound in words, documents) pairs, rising, with powers of two as bounds. notes: plain sentences.
    """

    label: str
    key: str
    is_cached: bool
    num_documents: int | None
    sampled_documents: int
    sampled_rows: int
    sampled_words: int
    left_out: int
    copies: int
    rows: tuple[SampleRow, ...]
    lengths: tuple[tuple[int, int], ...]
    median_words: float
    longest_words: int
    commit: str = ""
    columns: tuple[str, ...] = ()
    tokenizer: TokenizerFigures | None = None
    notes: tuple[str, ...] = ()


class Built(msgspec.Struct, frozen=True, tag="built", tag_field="kind"):
    """The token cache is there. was_there: it had been built before."""

    key: str
    was_there: bool
    elapsed_s: float


class Failure(msgspec.Struct, frozen=True, tag="failure", tag_field="kind"):
    """Why there is no result. report: the traceback of a defect of ours, else empty."""

    error: str
    report: str = ""


Answer = Progress | Inspection | Built | Failure
_decoder: msgspec.json.Decoder[Answer] = msgspec.json.Decoder(Answer)


class DataProcess(LineProcess):
    """One child at work; a context manager, which ends it. A half-built cache stays as it is."""

    def __init__(self, request: Request) -> None:
        """Start it. Raises OSError when no process can be had."""
        super().__init__("engine.data.inspect")
        self.write(msgspec.json.encode(request) + b"\n")

    def answers(self) -> Iterator[Answer]:
        """Progress as it comes, then one Inspection, Built or Failure; nothing more once it was closed."""
        pace = Pace()
        for line in self.lines():
            try:
                answer = _decoder.decode(line)
            except (msgspec.MsgspecError, ValueError):
                continue  # a library printed something of its own
            if isinstance(answer, Progress):
                yield with_pace(answer, pace)
                continue
            yield answer
            return
        if not self.is_closed:
            self.wait()
        if not self.is_closed:
            how, report = self.last_words()
            yield Failure(f"the process that reads the data {how}", report)


def with_pace(progress: Progress, pace: Pace, now: float | None = None) -> Progress:
    """The same progress with rate and eta_s, as far as they are known. now: seconds of a steady clock."""
    if progress.rate is not None:
        return progress
    rate, eta_s = pace.measure(progress.phase, progress.done, progress.total, now)
    return msgspec.structs.replace(progress, rate=rate, eta_s=eta_s)
