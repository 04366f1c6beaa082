"""What a run will cost before it starts: parameters exactly; steps, memory and time with what they rest on."""

from __future__ import annotations

import itertools
import math

import msgspec

from presets import corpora
from presets.costs import (
    CPU_COST,
    GPU_COST,
    RUNTIME_BYTES,
    WORD_TOKENS_PER_WORD,
    WORDPIECE_TOKENS_PER_WORD,
    DeviceCost,
)
from presets.schema import RunConfig

_LENGTH_SPREAD = 0.75  # standard deviation of the logarithm of a document's length, where only the mean is known
_EVALUATION_COST = 0.4  # a forward pass alone, as a share of forward, backward and update
_START_S = 8.0  # importing torch, reading the token cache, building the model: measured on two cores


class ParameterCount(msgspec.Struct, frozen=True):
    """Trainable numbers; the head shares its matrix with the embedding, so it counts its bias alone."""

    embedding: int
    encoder: int
    head: int

    @property
    def total(self) -> int:
        return self.embedding + self.encoder + self.head


class TokenCounts(msgspec.Struct, frozen=True):
    """Counted, not estimated: sequences of the training split and their tokens, from a token cache."""

    train_rows: int
    train_tokens: int


class Machine(msgspec.Struct, frozen=True):
    """Where the run would run. num_gpus is None while nobody has looked."""

    num_cores: int
    memory_bytes: int = 0
    num_gpus: int | None = None


class Figure(msgspec.Struct, frozen=True):
    """A number and the sentence that says what it rests on; value is None when it cannot be known yet."""

    value: float | None
    basis: str
    low: float | None = None
    high: float | None = None


class Estimate(msgspec.Struct, frozen=True):
    """Rows are sequences of the training split; tokens are all that are trained on; memory is one device's."""

    parameters: ParameterCount
    rows: Figure
    steps: Figure
    tokens: Figure
    memory_bytes: Figure
    time_s: Figure
    device: str
    on_gpu: bool


def count_parameters(config: RunConfig) -> ParameterCount:
    """Exact, by the shapes of the model that the engine builds."""
    model = config.model
    hidden, inner = model.hidden_size, model.feed_forward_size
    positions = config.data.sequence_length * hidden if model.positions == "learned" else 0
    attention = 3 * hidden * hidden + 3 * hidden + hidden * hidden + hidden
    feed_forward = hidden * inner + inner + inner * hidden + hidden
    norms = 2 * 2 * hidden
    return ParameterCount(
        embedding=config.data.vocab_size * hidden + positions,
        encoder=model.num_layers * (attention + feed_forward + norms) + 2 * hidden,
        head=config.data.vocab_size,
    )


def estimate(config: RunConfig, machine: Machine, measured: TokenCounts | None = None) -> Estimate:
    """Everything the plan shows. measured: exact counts of the training split, when its tokens are cached.

    Pure and fast: called on every key that is typed into the form.
    """
    on_gpu = config.launch.device == "cuda" or (config.launch.device == "auto" and bool(machine.num_gpus))
    rows, row_tokens = _rows(config, measured)
    steps = _steps(config, rows)
    tokens = _tokens(config, steps, row_tokens)
    return Estimate(
        parameters=count_parameters(config),
        rows=rows,
        steps=steps,
        tokens=tokens,
        memory_bytes=_memory(config, on_gpu),
        time_s=_time(config, machine, steps, on_gpu),
        device=_device(config, machine, on_gpu),
        on_gpu=on_gpu,
    )


def global_batch(config: RunConfig) -> int:
    """Sequences of one update, over all passes and processes."""
    return config.train.batch_size * config.train.accumulation_steps * config.launch.num_processes


def tokens_per_word(config: RunConfig) -> float:
    """Tokens for a whitespace word; measured on the embedded corpus, interpolated in the logarithm of the size."""
    if config.data.tokenizer == "word":
        return WORD_TOKENS_PER_WORD
    table = WORDPIECE_TOKENS_PER_WORD
    size = min(max(config.data.vocab_size, table[0][0]), table[-1][0])
    for (low, at_low), (high, at_high) in itertools.pairwise(table):
        if size <= high:
            share = math.log(size / low) / math.log(high / low)
            return at_low + share * (at_high - at_low)
    return table[-1][1]


def _rows(config: RunConfig, measured: TokenCounts | None) -> tuple[Figure, float | None]:
    """Sequences of the training split, and the mean tokens of one."""
    if measured is not None:
        basis = "Sequences and tokens are counted: this text is already tokenised."
        return Figure(measured.train_rows, basis), measured.train_tokens / max(measured.train_rows, 1)
    data = config.data
    facts = corpora.facts(data)
    if facts is None:
        return Figure(None, "Sequences and tokens are unknown until the data are read."), None
    room = data.sequence_length - 2
    documents = min(facts.rows, data.max_samples or facts.rows) * (1 - data.validation_fraction)
    length = facts.words_per_row * tokens_per_word(config)
    if data.long_documents == "split":
        per_document = max(1.0, length / room + 0.5)  # the last piece of a document is half full on average
        row_tokens = min(length / per_document, room) + 2
    else:
        per_document = 1.0
        row_tokens = _mean_of_shorter(length, room) + 2
    basis = (
        f"Sequences rest on {facts.rows:,} rows of {facts.words_per_row:,.0f} words ({facts.label}) and "
        f"{tokens_per_word(config):.2f} tokens a word, measured on the embedded corpus"
        + (f"; rows under {data.min_words} words are not taken off." if data.min_words > 1 else ".")
    )
    return Figure(round(documents * per_document), basis), row_tokens


def _mean_of_shorter(mean: float, limit: float) -> float:
    """Mean of min(length, limit) for log-normal lengths of that mean; what truncation leaves of a document."""
    location = math.log(mean) - _LENGTH_SPREAD**2 / 2
    distance = (math.log(limit) - location) / _LENGTH_SPREAD
    below = mean * _normal_share(distance - _LENGTH_SPREAD)
    return below + limit * (1 - _normal_share(distance))


def _normal_share(x: float) -> float:
    return 0.5 * (1 + math.erf(x / math.sqrt(2)))


def _steps(config: RunConfig, rows: Figure) -> Figure:
    train = config.train
    stopping = " Early stopping may end it sooner." if train.early_stopping_patience else ""
    if train.max_steps:
        return Figure(train.max_steps, "The number of steps is set." + stopping)
    if rows.value is None:
        return Figure(None, "Steps are unknown until the data are read; set a number of steps to fix them.")
    value = math.ceil(train.epochs * rows.value / global_batch(config))
    basis = f"Steps are {train.epochs} × {rows.value:,.0f} sequences / {global_batch(config):,} of an update."
    return Figure(value, basis + stopping)


def _tokens(config: RunConfig, steps: Figure, row_tokens: float | None) -> Figure:
    if steps.value is None or row_tokens is None:
        return Figure(None, "Tokens are unknown until the data are read.")
    value = steps.value * global_batch(config) * row_tokens
    basis = f"Tokens are steps × {global_batch(config):,} sequences × {row_tokens:.0f} tokens, padding left out."
    return Figure(round(value), basis)


def _memory(config: RunConfig, on_gpu: bool) -> Figure:
    """Weights, gradients and AdamW's two moments in fp32; what backward keeps of one micro-batch; the logits."""
    model, data = config.model, config.data
    hidden, inner = model.hidden_size, model.feed_forward_size
    positions = config.train.batch_size * data.sequence_length
    width = 2 if config.train.precision == "bf16" or (config.train.precision == "auto" and on_gpu) else 4
    kept = model.num_layers * (8 * hidden + 2 * inner + (2 * hidden if model.dropout else 0)) + 4 * hidden
    predicted = config.train.batch_size * math.ceil(config.objective.mask_rate * data.sequence_length)
    value = 16 * count_parameters(config).total + positions * kept * width + 2 * predicted * data.vocab_size * 4
    basis = (
        f"Memory is weights, gradients, AdamW's moments, activations of {config.train.batch_size:,} × "
        f"{data.sequence_length:,} tokens, and logits of {predicted:,} masked ones, by arithmetic; the runtime "
        f"itself takes about {RUNTIME_BYTES['cuda' if on_gpu else 'cpu'] / 1e9:.1f} GB more."
    )
    return Figure(value, basis, low=value * 0.7, high=value * 1.6)


def _time(config: RunConfig, machine: Machine, steps: Figure, on_gpu: bool) -> Figure:
    cost = GPU_COST if on_gpu else CPU_COST
    if steps.value is None:
        return Figure(None, "Time is unknown until the number of steps is known.")
    threads = config.launch.threads or max(1, machine.num_cores // config.launch.num_processes)
    # more threads than cores help nobody, and processes of one machine share its cores
    cores = 1.0 if on_gpu else min(threads, machine.num_cores / config.launch.num_processes)
    forward_backward_s = _seconds_per_position(config, cost) * config.data.sequence_length / cores
    step_s = config.train.accumulation_steps * (config.train.batch_size * forward_backward_s + cost.pass_s)
    evaluations = math.ceil(steps.value / config.train.eval_every)
    eval_rows = config.train.eval_rows or 1024
    evaluation_s = evaluations * eval_rows * forward_backward_s * _EVALUATION_COST
    value = _START_S + steps.value * step_s + evaluation_s / (config.launch.num_processes if on_gpu else 1)
    return Figure(value, f"Time rests on {cost.source}", low=value / cost.spread, high=value * cost.spread)


def _seconds_per_position(config: RunConfig, cost: DeviceCost) -> float:
    """Arithmetic and memory traffic of one token's place, on one core or one GPU.

    Six operations a weight for forward and backward (Kaplan et al. 2020, 2.1), twelve a layer, position
    and unit for attention; the head counts for the masked share alone.
    """
    model, data, masked = config.model, config.data, config.objective.mask_rate
    hidden, inner, layers = model.hidden_size, model.feed_forward_size, model.num_layers
    matrices = layers * (4 * hidden * hidden + 2 * hidden * inner) + masked * data.vocab_size * hidden
    operations = 6 * matrices + 12 * layers * data.sequence_length * hidden
    touched: float = layers * (12 * hidden + 2 * inner + 3 * model.num_heads * data.sequence_length)
    touched += 3 * masked * data.vocab_size
    return operations / cost.operations_per_s + touched * cost.element_s


def _device(config: RunConfig, machine: Machine, on_gpu: bool) -> str:
    processes = config.launch.num_processes
    if on_gpu:
        return "1 GPU" if processes == 1 else f"{processes} GPUs"
    threads = config.launch.threads or max(1, machine.num_cores // processes)
    text = f"CPU, {threads} thread{'s' if threads > 1 else ''}"
    return text if processes == 1 else f"{processes} × {text}"
