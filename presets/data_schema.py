"""The settings of the data: which text, how it is read and cleaned, and how it becomes tokens."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from presets.fields import field

NUM_SPECIAL_TOKENS = 5  # [PAD] [UNK] [CLS] [SEP] [MASK], ids 0 to 4


class DataConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which text, how it is cut into sequences, and how it becomes tokens."""

    source: Annotated[
        Literal["embedded", "hub", "files", "synthetic"],
        field(
            "source",
            "Where the text comes from: shipped with the program, the Hugging Face hub, files of yours, or a "
            "grammar whose entropy is known.",
        ),
    ] = "embedded"
    dataset: Annotated[
        str,
        field(
            "dataset",
            "The embedded corpus, the hub's owner/name, a file or folder (.txt .jsonl .csv .parquet), a grammar.",
        ),
    ] = "addresses"
    dataset_config: Annotated[
        str,
        field(
            "configuration",
            "The hub dataset's configuration, when it has several; Wikipedia's is a date and a language, "
            "20231101.en.",
        ),
    ] = ""
    split: Annotated[str, field("split", "Which split of a hub dataset is read.")] = "train"
    text_column: Annotated[
        str, field("text column", "The column that holds the text, of a hub dataset or of files with columns.")
    ] = "text"
    label_column: Annotated[
        str, field("label column", "The column with the label of each text; for classification.")
    ] = "label"
    revision: Annotated[
        str,
        field("revision", "Commit or tag of a hub dataset; pin one to make a run repeatable.", advanced=True),
    ] = "main"
    access: Annotated[
        Literal["download", "stream"],
        field(
            "reading",
            "Download all first, or stream: training starts with the first part (needs a number of steps).",
        ),
    ] = "download"
    shuffle: Annotated[
        bool,
        field("shuffle", "Draw the rows by the split seed, rather than take the first ones."),
    ] = True
    shuffle_buffer: Annotated[
        int,
        field(
            "shuffle buffer", "Rows of a stream that are mixed with one another.",
            unit="rows", ge=1, le=1_000_000, advanced=True,
        ),
    ] = 10_000  # fmt: skip
    shard_tokens: Annotated[
        int,
        field(
            "first shard", "Of a stream: how much is read before training starts; later shards are larger.",
            unit="tokens", ge=1000, le=100_000_000, advanced=True,
        ),
    ] = 500_000  # fmt: skip
    stream_patience: Annotated[
        int,
        field(
            "stream patience", "How long a stream that broke off is tried again before the run stops.",
            unit="s", ge=0, le=86_400, advanced=True,
        ),
    ] = 300  # fmt: skip
    difficulty: Annotated[
        int, field("difficulty", "Of a grammar: 1 has the fewest rules, 5 the most.", ge=1, le=5)
    ] = 1
    markov_order: Annotated[
        int,
        field(
            "Markov order", "Of the grammar `markov`: how many tokens decide the next one.",
            unit="tokens", ge=1, le=3, advanced=True,
        ),
    ] = 1  # fmt: skip
    max_samples: Annotated[
        int,
        field(
            "max samples", "Rows read from the dataset, or sentences of a grammar.", unit="rows", ge=0, zero="all"
        ),
    ] = 0
    min_words: Annotated[
        int, field("minimum words", "Rows with fewer words are left out.", unit="words", ge=0, le=10_000)
    ] = 5
    deduplicate: Annotated[bool, field("deduplicate", "Keep one of several documents with the same text.")] = True
    lowercase: Annotated[bool, field("lower-case", "Fold the text to lower case before tokenising.")] = True
    long_documents: Annotated[
        Literal["split", "truncate"],
        field(
            "long documents",
            "Cut documents longer than a sequence into several, or keep only the first sequence.",
        ),
    ] = "split"
    sequence_length: Annotated[
        int,
        field(
            "sequence length",
            "Tokens in a sequence, with [CLS] and [SEP].",
            unit="tokens",
            ge=8,
            le=8192,
            usual="most people use 64 to 512",
        ),
    ] = 128
    tokenizer: Annotated[
        Literal["word", "wordpiece", "bpe", "unigram", "bytes", "existing"],
        field(
            "tokenizer",
            "Whole words, sub-words (WordPiece, BPE, Unigram) or bytes, learned from the training split only; "
            "or an existing one.",
        ),
    ] = "wordpiece"
    tokenizer_from: Annotated[
        str,
        field(
            "existing tokenizer", "A tokenizer.json, run:NAME for a run's, or the hub's owner/name.",
        ),
    ] = ""  # fmt: skip
    vocab_size: Annotated[
        int,
        field(
            "vocabulary", "Entries of the vocabulary, the 5 special tokens among them.",
            unit="tokens", ge=32, le=1_000_000, usual="4,000 to 32,000 for small corpora",
        ),
    ] = 4000  # fmt: skip
    validation_fraction: Annotated[
        float,
        field(
            "validation share", "Share of the documents kept away from training.",
            ge=0.001, le=0.5, usual="0.05 to 0.1",
        ),
    ] = 0.1  # fmt: skip
    split_seed: Annotated[
        int,
        field(
            "split seed",
            "Decides which rows are drawn and which documents are validation; the same for runs that compare.",
            ge=0,
            le=2**31 - 1,
            advanced=True,
        ),
    ] = 42
