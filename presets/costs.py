"""Constants that estimates rest on, each with where it was measured."""

from __future__ import annotations

import msgspec

# Tokens for each whitespace word of the embedded corpus (1,794,884 words), lower-cased, punctuation apart,
# tokenizers 0.23, trained on the whole corpus at each size; bpe on bytes, unigram on words with their space.
WORD_TOKENS_PER_WORD = 1.119
TOKENS_PER_WORD = {
    "wordpiece": (
        (1_000, 1.864),
        (2_000, 1.554),
        (4_000, 1.336),
        (8_000, 1.204),
        (16_000, 1.142),
        (30_000, 1.122),
    ),
    "bpe": ((1_000, 1.985), (4_000, 1.357), (16_000, 1.147), (30_000, 1.123)),
    "unigram": ((1_000, 1.850), (4_000, 1.310), (16_000, 1.124), (30_000, 1.111)),
}
BYTES_PER_WORD = 5.0  # UTF-8, without the space

# What a process takes before the first weight: PyTorch's libraries, and on CUDA the context. On the CPU from the
# peaks of runs (docs/log.md); on CUDA nothing was measured.
RUNTIME_BYTES = {"cpu": 291_000_000, "cuda": 600_000_000}

# Backward holds the log-softmax, its gradient and that of the logits at once. On the CPU comes room that was freed
# and not used again, and once more such room in the C library's heap, where blocks up to that size lie
# (mallopt(3), M_MMAP_THRESHOLD).
LOGIT_COPIES = {"cpu": 4, "cuda": 3}
HEAP_BLOCK_BYTES = 32 * 2**20

CHUNKED_UP_TO_HIDDEN = 64  # beyond it one large product of the output matrix is faster on the CPU (docs/log.md)
LOSS_CHUNK = 64  # predictions whose logits exist at once, up to that size


class DeviceCost(msgspec.Struct, frozen=True):
    """Speed of one core or one GPU.

    operations_per_s: of matrix products. element_s: seconds for a number that is read or written beside them.
    pass_s: fixed cost of one forward and backward. spread: the true time is within value / spread … × spread.
    """

    operations_per_s: float
    element_s: float
    pass_s: float
    spread: float
    source: str


CPU_COST = DeviceCost(
    operations_per_s=80e9,
    element_s=1.4e-9,
    pass_s=0.002,
    spread=1.7,
    source="the four presets' sizes measured on 2 CPU cores (198,000, 104,000, 52,000 and 50,000 tokens/s for v1, "
    "v2, v3 and quickstart), by arithmetic for other sizes; a machine that is busy is slower.",
)

GPU_COST = DeviceCost(
    operations_per_s=20e12,
    element_s=4e-12,
    pass_s=0.006,
    spread=4.0,
    source="arithmetic alone: nothing was measured on a GPU.",
)
