"""Rules across fields, in one place; each names the fields it blames."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from presets.corpora import ALIASES, EMBEDDED, USUAL_CONFIGURATIONS, hub_id
from presets.fields import format_value
from presets.grammars import GRAMMARS, grammar_facts
from presets.probe_text import MOST_PROBES, probe_problem
from presets.schema import NUM_SPECIAL_TOKENS, DataConfig, ObjectiveConfig, RunConfig

SMALLEST_BPE = 256 + NUM_SPECIAL_TOKENS + 1
SHORTEST_START = 8

_HOST_AND_PORT = re.compile(r"(\[[0-9A-Fa-f:.%\w]+\]|[\w.-]+):(?P<port>\d{1,5})")


class Problem(msgspec.Struct, frozen=True):
    """What is wrong, and at which fields."""

    paths: tuple[str, ...]
    message: str

    def __str__(self) -> str:
        return f"{', '.join(self.paths)}: {self.message}" if self.paths else self.message


def broken_rules(config: RunConfig) -> tuple[Problem, ...]:
    """Every rule across fields that the configuration breaks."""
    return (
        *(*_model(config), *_data(config), *_grammar(config), *_schedule(config), *_algorithm(config)),
        *(*_curriculum(config), *_machines(config), *_task(config), *_probes(config)),
    )


def _model(config: RunConfig) -> Iterator[Problem]:
    model = config.model
    if model.hidden_size % model.num_heads:
        divisors = [n for n in range(1, 129) if model.hidden_size % n == 0]
        near = sorted(sorted(divisors, key=lambda n: abs(n - model.num_heads))[:2])
        advice = " or ".join(str(n) for n in near)
        message = f"{model.num_heads} does not divide hidden size {model.hidden_size}; try {advice}"
        yield Problem(("model.num_heads",), message)
    elif model.positions == "rotary" and (model.hidden_size // model.num_heads) % 2:
        size = model.hidden_size // model.num_heads
        yield Problem(
            ("model.positions", "model.num_heads"),
            f"rotary positions need an even head size, and hidden size / heads is {size}",
        )


def _data(config: RunConfig) -> Iterator[Problem]:
    data = config.data
    if data.source == "embedded" and data.dataset not in EMBEDDED:
        message = f"{data.dataset!r} is not an embedded corpus; there is {', '.join(EMBEDDED)}"
        yield Problem(("data.dataset",), message)
    if data.source == "hub":
        yield from _hub(data)
    if data.source == "files" and not data.dataset.strip():
        yield Problem(("data.dataset",), "name a file or a folder with .txt, .jsonl, .csv or .parquet files")
    yield from _stream(config)
    yield from _tokenizer(data)
    if not data.text_column.strip():
        yield Problem(("data.text_column",), "name the column that holds the text")
    if data.vocab_size <= NUM_SPECIAL_TOKENS + 1:
        yield Problem(("data.vocab_size",), "the vocabulary needs room for more than the special tokens")


def _hub(data: DataConfig) -> Iterator[Problem]:
    name = data.dataset
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name):
        yield Problem(("data.dataset",), f"{name!r} is not the name of a hub dataset (owner/name)")
    elif "/" not in name and name not in ALIASES:
        message = f"{name!r} has no owner: write owner/name, or one of {', '.join(sorted(ALIASES))}"
        yield Problem(("data.dataset",), message)
    usual = USUAL_CONFIGURATIONS.get(hub_id(name))
    if usual is not None and not data.dataset_config:
        message = f"{name} has several configurations; name one, such as {usual}"
        yield Problem(("data.dataset_config",), message)
    if not data.split.strip():
        yield Problem(("data.split",), "name the split that is read, such as train")
    if not data.revision.strip():
        yield Problem(("data.revision",), "name a branch, a tag or a commit, such as main")


def _stream(config: RunConfig) -> Iterator[Problem]:
    """A stream's end is not known before it is read, and schedules need it."""
    if config.data.access != "stream":
        return
    if config.data.source != "hub":
        message = "only a dataset of the hub can be streamed; everything else is on this machine: choose download"
        yield Problem(("data.access", "data.source"), message)
    elif not config.train.max_steps:
        message = "the length of a stream is not known before it is read; set train.max_steps"
        yield Problem(("data.access", "train.max_steps"), message)


def _tokenizer(data: DataConfig) -> Iterator[Problem]:
    if data.tokenizer == "existing" and not data.tokenizer_from.strip():
        message = "name the tokenizer: a tokenizer.json, run:NAME, or the hub's owner/name"
        yield Problem(("data.tokenizer_from",), message)
    if data.tokenizer == "bpe" and data.vocab_size < SMALLEST_BPE:
        message = (
            f"BPE begins with 256 bytes and {NUM_SPECIAL_TOKENS} special tokens; choose {SMALLEST_BPE} or more"
        )
        yield Problem(("data.vocab_size",), message)


def _grammar(config: RunConfig) -> Iterator[Problem]:
    """A grammar's floor is exact only when every word is a token and every sentence is whole."""
    data = config.data
    if data.source != "synthetic":
        return
    if data.dataset not in GRAMMARS:
        yield Problem(("data.dataset",), f"{data.dataset!r} is not a grammar; there is {', '.join(GRAMMARS)}")
        return
    facts = grammar_facts(data)
    if data.tokenizer != "word":
        yield Problem(("data.tokenizer",), f"a grammar's tokens are its words: choose word, not {data.tokenizer}")
    if data.vocab_size < facts.num_words + NUM_SPECIAL_TOKENS:
        message = f"{facts.label} has {facts.num_words} words and {NUM_SPECIAL_TOKENS} special tokens"
        yield Problem(("data.vocab_size",), f"{message}; choose {facts.num_words + NUM_SPECIAL_TOKENS} or more")
    if data.sequence_length < facts.longest + 2:
        message = f"the longest sentence of {facts.label} has {facts.longest} words, with [CLS] and [SEP]"
        yield Problem(("data.sequence_length",), f"{message} {facts.longest + 2} tokens; fewer would cut it")
    if data.min_words > facts.shortest:
        message = f"the shortest sentence of {facts.label} has {facts.shortest} words, and must not be left out"
        yield Problem(("data.min_words",), message)
    if data.deduplicate:
        message = "frequent sentences of a grammar come more than once; leaving copies out would change its floor"
        yield Problem(("data.deduplicate",), message)


def _schedule(config: RunConfig) -> Iterator[Problem]:
    optim, objective = config.optim, config.objective
    if optim.schedule == "wsd" and optim.warmup_ratio + optim.decay_ratio > 1:
        yield Problem(
            ("optim.warmup_ratio", "optim.decay_ratio"), "warm-up and decay together are longer than the run"
        )
    if objective.mask_token_share + objective.random_token_share > 1 + 1e-9:
        yield Problem(
            ("objective.mask_token_share", "objective.random_token_share"),
            "the share of [MASK] and the share of random tokens add up to more than 1",
        )


def _algorithm(config: RunConfig) -> Iterator[Problem]:
    """What the 8-bit quantiser is written for."""
    if config.optim.algorithm == "adamw8bit" and config.launch.device == "cpu":
        message = (
            "adamw8bit keeps its moments in 8 bits on a GPU; on the CPU choose adamw, or set launch.device=cuda"
        )
        yield Problem(("optim.algorithm", "launch.device"), message)


def _curriculum(config: RunConfig) -> Iterator[Problem]:
    curriculum, data = config.curriculum, config.data
    first = curriculum.start_length
    if first > data.sequence_length:
        message = f"the first length {first:,} is above the sequence length {data.sequence_length:,}"
        yield Problem(("curriculum.start_length", "data.sequence_length"), message)
    elif 0 < first < SHORTEST_START:
        message = f"{first} tokens leave nearly no text beside [CLS] and [SEP]; choose {SHORTEST_START} or more"
        yield Problem(("curriculum.start_length",), message)
    if first and data.source == "synthetic":
        message = "a grammar's sentences must stay whole for its floor to be exact; set the first length to 0"
        yield Problem(("curriculum.start_length", "data.source"), message)
    if first and config.objective.kind in ("nsp", "sop"):
        message = "a pair of sentences that is cut is no pair any more; set the first length to 0"
        yield Problem(("curriculum.start_length", "objective.kind"), message)
    if curriculum.order != "none" and data.access == "stream":
        message = "the easy sequences of a stream are not known before it is read; choose none, or download"
        yield Problem(("curriculum.order", "data.access"), message)


def _machines(config: RunConfig) -> Iterator[Problem]:
    """Several machines need a place to meet that all of them can reach."""
    launch = config.launch
    place = launch.rendezvous.strip()
    found = _HOST_AND_PORT.fullmatch(place)
    if not place and launch.num_nodes == 1:
        return
    if not place:
        message = (
            f"{launch.num_nodes} machines need a place to meet: HOST:PORT of the first one, such as node1:29500"
        )
        yield Problem(("launch.rendezvous", "launch.num_nodes"), message)
    elif found is None or not 1 <= int(found["port"]) <= 65_535:
        message = f"{launch.rendezvous!r} is not HOST:PORT, such as node1:29500 or [fe80::1]:29500"
        yield Problem(("launch.rendezvous",), message)


def _probes(config: RunConfig) -> Iterator[Problem]:
    kind, has_masks = config.objective.kind, config.objective.has_masks
    for number, text in enumerate(config.probes.texts, 1):
        if problem := probe_problem(text, kind, has_masks):
            yield Problem(("probes.texts",), f"sentence {number} {problem}")
    if len(config.probes.texts) > MOST_PROBES:
        message = f"{len(config.probes.texts)} sentences are more than the {MOST_PROBES} that are probed at a time"
        yield Problem(("probes.texts",), message)


def _task(config: RunConfig) -> Iterator[Problem]:
    """What single objectives need of the data and of the model."""
    kind, start_from = config.objective.kind, config.model.start_from
    if kind == "classification":
        yield from _classification(config.data)
    yield from _without_effect(config)
    if kind in ("nsp", "sop") and config.model.segments < 2 and not start_from:  # they are added to its model
        message = f"{kind} tells the first text from the second by their segments; choose 2"
        yield Problem(("model.segments", "objective.kind"), message)
    if start_from and (not start_from.startswith("run:") or not start_from.removeprefix("run:").strip()):
        message = f"{start_from!r} names no run; write run:NAME, run:NAME@best or run:NAME@1000"
        yield Problem(("model.start_from",), message)


def _without_effect(config: RunConfig) -> Iterator[Problem]:
    """Settings that the objective would silently pass over."""
    objective, usual = config.objective, ObjectiveConfig()
    if not objective.has_masks:
        cause = "objective.mlm_weight" if objective.kind in ("nsp", "sop") else "objective.kind"
        for name in ("mask_rate", "mask_rate_end", "whole_words"):
            if getattr(objective, name) != getattr(usual, name):
                message = f"nothing is hidden here; set {name} back to {format_value(getattr(usual, name))}"
                yield Problem((f"objective.{name}", cause), message)
    # a classifier may go on from pairs, and a checkpoint brings its own
    if config.model.segments and objective.kind in ("mlm", "clm") and not config.model.start_from:
        message = f"segments are for pairs of texts, and {objective.kind} reads single ones; choose 0"
        yield Problem(("model.segments", "objective.kind"), message)


def _classification(data: DataConfig) -> Iterator[Problem]:
    if data.source not in ("hub", "files"):
        message = "this text has no labels; choose a dataset of the hub, or a .csv, .jsonl or .parquet file"
        yield Problem(("data.source", "objective.kind"), message)
        return
    if not data.label_column.strip():
        yield Problem(("data.label_column",), "name the column that holds the labels")
    elif data.label_column == data.text_column:
        message = f"the text and its label cannot both be in the column {data.text_column!r}"
        yield Problem(("data.label_column", "data.text_column"), message)
    if data.access == "stream":
        message = "the labels of a stream are not known before it is read; choose download"
        yield Problem(("data.access", "objective.kind"), message)
    if data.long_documents != "truncate":
        message = "a label is that of a whole text, not of each piece of it; choose truncate"
        yield Problem(("data.long_documents", "objective.kind"), message)
