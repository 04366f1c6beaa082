"""What a tokenizer makes of a training split: lengths, frequencies, the longest documents."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from engine.data.shards import open_shard, shard_name
from engine.data.token_text import token_text
from runs.cache_format import ShardRecord, Statistics

_HEAD_ENTRIES = 50
_NUM_LONGEST = 5


def measure_statistics(folder: Path, records: list[ShardRecord], tokenizer: Tokenizer) -> Statistics:
    """Lengths and frequencies of the training split."""
    counts = np.zeros(tokenizer.get_vocab_size(), dtype=np.int64)
    histogram: dict[int, int] = {}
    for record in records:
        shard = open_shard(folder / shard_name(record.index))
        counts += shard.token_counts
        exponents = np.ceil(np.log2(np.maximum(np.diff(shard.train.documents), 1))).astype(int)
        for exponent, number in zip(*np.unique(exponents, return_counts=True), strict=True):
            histogram[int(exponent)] = histogram.get(int(exponent), 0) + int(number)
    order = [int(token) for token in np.argsort(-counts, kind="stable")[:_HEAD_ENTRIES] if counts[token]]
    longest = sorted((one for record in records for one in record.longest), key=lambda one: -one.tokens)
    return Statistics(
        lengths=tuple((2**exponent, histogram[exponent]) for exponent in sorted(histogram)),
        head=tuple((token_text(tokenizer, token), int(counts[token])) for token in order),
        vocabulary_used=int(np.count_nonzero(counts)),
        longest=tuple(longest[:_NUM_LONGEST]),
    )
