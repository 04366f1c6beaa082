"""What a run will cost before it starts: parameters exactly; steps, memory and time with what they rest on."""

from __future__ import annotations

import math
from collections.abc import Callable

import msgspec

from presets.corpora import facts
from presets.costs import CPU_COST, GPU_COST, RUNTIME_BYTES, DeviceCost
from presets.flops import FLOPS_FORMULA, num_labels, num_predictions, sequence_flops
from presets.memory import activation_bytes, logit_bytes, scored_at_once, state_bytes
from presets.schema import RunConfig
from presets.sequence_counts import SequenceCounts, count_sequences, vocab_size, vocabulary_basis

_EVALUATION_COST = 0.4  # a forward pass alone, as a share of forward, backward and update
_LENGTHS = 32  # of which the mean of growing sequences is taken
_START_S = 8.0  # importing torch, reading the token cache, building the model: measured on two cores


class ParameterCount(msgspec.Struct, frozen=True):
    """Trainable numbers. The head's matrix counts where it is not the embedding's; labels' head is part of it."""

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


class DeviceMemory(msgspec.Struct, frozen=True):
    """Of one GPU; free: what no process holds."""

    total_bytes: int
    free_bytes: int


class Machine(msgspec.Struct, frozen=True):
    """Where the run would run. num_gpus is None while nobody has looked; gpus: those whose memory is known.

    free_memory_bytes: what programs can still be given without pushing others out.
    """

    num_cores: int
    memory_bytes: int = 0
    num_gpus: int | None = None
    free_memory_bytes: int = 0
    gpus: tuple[DeviceMemory, ...] = ()


class Figure(msgspec.Struct, frozen=True):
    """A number and the sentence that says what it rests on; value is None when it cannot be known yet."""

    value: float | None
    basis: str
    low: float | None = None
    high: float | None = None


class Estimate(msgspec.Struct, frozen=True):
    """Rows are sequences of the training split; tokens are all that are trained on; memory is one device's.

    flops: floating-point operations of the whole training, evaluations left out.
    """

    parameters: ParameterCount
    parameters_basis: str
    rows: Figure
    steps: Figure
    tokens: Figure
    flops: Figure
    memory_bytes: Figure
    time_s: Figure
    device: str
    on_gpu: bool


def count_parameters(config: RunConfig, labels: int = 0) -> ParameterCount:
    """Exact for a vocabulary of `vocab_size`, by the shapes of the model that the engine builds.

    labels: classes of labelled data; taken as two while nobody has counted them.
    """
    model, num_tokens = config.model, vocab_size(config.data)
    hidden, inner = model.hidden_size, model.feed_forward_size
    norm = 2 * hidden if model.norm == "layernorm" else hidden
    dense = hidden * hidden + hidden
    positions = config.data.sequence_length * hidden if model.positions == "learned" else 0
    attention = 3 * hidden * hidden + 3 * hidden + dense
    feed_forward = (hidden * inner + inner) * (2 if model.is_gated else 1) + inner * hidden + hidden
    head = num_tokens + (0 if model.tied_head else num_tokens * hidden)
    transform = dense + norm if model.head_transform else 0
    classes = num_labels(config, labels)
    return ParameterCount(
        embedding=num_tokens * hidden + positions + model.segments * hidden,
        # pre: a norm after the last block; post: one after the embeddings
        encoder=model.num_layers * (attention + feed_forward + 2 * norm) + norm,
        head=head + transform + (dense + (hidden + 1) * classes if classes else 0),
    )


def estimate(config: RunConfig, machine: Machine, measured: TokenCounts | None = None) -> Estimate:
    """Everything the plan shows. measured: exact counts of the training split, when its tokens are cached.

    Pure and fast: called on every key that is typed into the form.
    """
    on_gpu = config.launch.device == "cuda" or (config.launch.device == "auto" and bool(machine.num_gpus))
    counts = _counts(config, measured)
    rows = Figure(counts.rows, counts.basis)
    steps = _steps(config, rows)
    return Estimate(
        parameters=count_parameters(config),
        parameters_basis=vocabulary_basis(config.data) + _labels_basis(config),
        rows=rows,
        steps=steps,
        tokens=_tokens(config, steps, counts.tokens_per_row),
        flops=_flops(config, steps),
        memory_bytes=memory_figure(config, on_gpu),
        time_s=_time(config, machine, steps, on_gpu),
        device=_device(config, machine, on_gpu),
        on_gpu=on_gpu,
    )


def _labels_basis(config: RunConfig) -> str:
    """Said where the number of labels is not known before the data are read."""
    known = facts(config.data)
    if config.objective.kind != "classification" or (known and known.labels):
        return ""
    return f" The text is taken to have {num_labels(config)} labels until it is read."


def global_batch(config: RunConfig) -> int:
    """Sequences of one update, over all passes, processes and machines."""
    launch = config.launch
    return config.train.batch_size * config.train.accumulation_steps * launch.num_processes * launch.num_nodes


def _counts(config: RunConfig, measured: TokenCounts | None) -> SequenceCounts:
    if measured is None:
        return count_sequences(config.data)
    basis = "Sequences and tokens are counted: this text is already tokenised."
    return SequenceCounts(measured.train_rows, measured.train_tokens / max(measured.train_rows, 1), basis)


def _steps(config: RunConfig, rows: Figure) -> Figure:
    train = config.train
    stopping = " Early stopping may end it sooner." if train.early_stopping_patience else ""
    if train.max_steps:
        passes = train.max_steps * global_batch(config) / rows.value if rows.value else None
        known = "" if passes is None else f": about {passes:.2g} passes over the sequences"
        return Figure(train.max_steps, f"The number of steps is set{known}." + stopping)
    if rows.value is None:
        return Figure(None, "Steps are unknown until the data are read; set a number of steps to fix them.")
    value = math.ceil(train.epochs * rows.value / global_batch(config))
    basis = f"Steps are {train.epochs} × {rows.value:,.0f} sequences / {global_batch(config):,} of an update."
    return Figure(value, basis + stopping)


def _tokens(config: RunConfig, steps: Figure, row_tokens: float | None) -> Figure:
    if steps.value is None or row_tokens is None:
        return Figure(None, "Tokens are unknown until the data are read.")
    kept = _mean_over_lengths(config, lambda length: min(row_tokens, length))
    value = steps.value * global_batch(config) * kept
    basis = f"Tokens are steps × {global_batch(config):,} sequences × {kept:.0f} tokens, padding left out."
    return Figure(round(value), basis + _growth_basis(config))


def _flops(config: RunConfig, steps: Figure) -> Figure:
    if steps.value is None:
        return Figure(None, "FLOPs are unknown until the number of steps is known.")
    sequences = steps.value * global_batch(config)
    vocabulary = vocab_size(config.data)
    value = sequences * _mean_over_lengths(config, lambda length: sequence_flops(config, vocabulary, length))
    return Figure(value, f"{FLOPS_FORMULA} Evaluations are left out.{_growth_basis(config)}")


def _mean_over_lengths(config: RunConfig, of: Callable[[int], float]) -> float:
    """The mean of something over the steps of a run, whose sequences may begin short and grow in proportion."""
    full, first, until = (
        config.data.sequence_length,
        config.curriculum.start_length,
        config.curriculum.length_share,
    )
    if not 0 < first < full:
        return of(full)
    middles = ((2 * number + 1) / (2 * _LENGTHS) for number in range(_LENGTHS))
    growing = sum(of(round(first + (full - first) * middle)) for middle in middles) / _LENGTHS
    return until * growing + (1 - until) * of(full)


def _growth_basis(config: RunConfig) -> str:
    full, first = config.data.sequence_length, config.curriculum.start_length
    if not 0 < first < full:
        return ""
    mean = _mean_over_lengths(config, float)
    return f" Sequences grow from {first:,} to {full:,} tokens, {mean / full:.0%} of the full length on average."


def memory_figure(config: RunConfig, on_gpu: bool) -> Figure:
    """What a process needs on its device, without what the runtime itself takes.

    Weights and gradients in fp32, the optimizer's state; what backward keeps of one micro-batch; the logits."""
    data, batch, place = config.data, config.train.batch_size, "cuda" if on_gpu else "cpu"
    value = (
        state_bytes(config, count_parameters(config))
        + batch * activation_bytes(config, on_gpu=on_gpu)
        + logit_bytes(config, vocab_size(data), on_gpu=on_gpu)
    )
    scored = scored_at_once(config, on_gpu=on_gpu)
    average = " and their average" if config.optim.ema_decay else ""
    basis = (
        f"Memory is weights{average}, gradients, the state of {config.optim.algorithm}, activations of "
        f"{batch:,} × {data.sequence_length:,} tokens, and logits of {scored:,} predicted ones, by arithmetic; "
        f"the runtime itself takes about {RUNTIME_BYTES[place] / 1e9:.1f} GB more."
    )
    return Figure(value, basis, low=value * 0.7, high=value * 1.6)


def _time(config: RunConfig, machine: Machine, steps: Figure, on_gpu: bool) -> Figure:
    cost = GPU_COST if on_gpu else CPU_COST
    if steps.value is None:
        return Figure(None, "Time is unknown until the number of steps is known.")
    threads = config.launch.threads or max(1, machine.num_cores // config.launch.num_processes)
    # more threads than cores help nobody, and processes of one machine share its cores
    cores = 1.0 if on_gpu else min(threads, machine.num_cores / config.launch.num_processes)
    forward_backward_s = _sequence_s(config, cost, config.data.sequence_length) / cores
    training_s = _mean_over_lengths(config, lambda length: _sequence_s(config, cost, length)) / cores
    step_s = config.train.accumulation_steps * (config.train.batch_size * training_s + cost.pass_s)
    evaluations = math.ceil(steps.value / config.train.eval_every)
    eval_rows = config.train.eval_rows or 1024
    evaluation_s = evaluations * eval_rows * forward_backward_s * _EVALUATION_COST
    num_devices = config.launch.num_nodes * (config.launch.num_processes if on_gpu else 1)
    value = _START_S + steps.value * step_s + evaluation_s / num_devices
    basis = f"Time rests on {cost.source} Getting and tokenising data that are not at hand comes on top."
    basis += _growth_basis(config)
    return Figure(value, basis, low=value / cost.spread, high=value * cost.spread)


def _sequence_s(config: RunConfig, cost: DeviceCost, length: int) -> float:
    """Seconds of a sequence of `length` tokens: arithmetic and memory traffic, on one core or one GPU."""
    model = config.model
    operations = sequence_flops(config, vocab_size(config.data), length) / length
    inner = model.feed_forward_size * (2 if model.is_gated else 1)
    per_layer = 12 * model.hidden_size + 2 * inner + 3 * model.num_heads * length
    predicted = num_predictions(config, length) / length
    touched = model.num_layers * per_layer + 3 * predicted * vocab_size(config.data)
    again = 4 / 3 if config.train.activation_checkpointing else 1.0  # a second forward pass
    return length * again * (operations / cost.operations_per_s + touched * cost.element_s)


def _device(config: RunConfig, machine: Machine, on_gpu: bool) -> str:
    processes, machines = config.launch.num_processes, config.launch.num_nodes
    times = "" if machines == 1 else f"{machines} machines × "
    if on_gpu:
        return times + ("1 GPU" if processes == 1 else f"{processes} GPUs")
    threads = config.launch.threads or max(1, machine.num_cores // processes)
    text = f"CPU, {threads} thread{'s' if threads > 1 else ''}"
    return times + (text if processes == 1 else f"{processes} × {text}")
