"""Analyses of a checkpoint as lines of plain characters: tables, heat maps, a map of words, bars."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size

from runs.analysis import Attention, Calibration, Neighbours, SentenceLosses, TokenLoss, TokenLosses
from runs.verdict import Verdict
from tui.safe_text import safe_text

_SHADES = " ·░▒▓█"
_LABEL = 16
_MOST_MAPS = 4
_MAP_WIDTH, _MAP_HEIGHT = 76, 24
_BAR = 30
_TASKS = {"masked": "masked tokens", "next": "next tokens", "label": "labels"}


def verdict_lines(verdict: Verdict) -> list[str]:
    """The sentence, and the figures it rests on."""
    figures = [
        ("evaluations", f"{verdict.num_evaluations:,}, and {verdict.num_records:,} training records"),
        ("best", _loss_at(verdict.best_loss, verdict.best_step)),
        ("last", _number(verdict.last_loss, verdict.noise)),
        ("training", _number(verdict.train_loss, verdict.train_noise)),
        ("last third", _gains(verdict)),
        ("data seen", "" if verdict.epochs is None else f"{verdict.epochs:.2f} times"),
    ]
    lines = [verdict.sentence, *(f"  {name:<12} {words}" for name, words in figures if words)]
    return lines + [f"  ! {note}" for note in verdict.notes]


def attention_lines(result: Attention, layer: int = 0, head: int = 0) -> list[str]:
    """Heat maps. layer, head: counted from 1, 0 for all; of many heads the mean of each layer is drawn."""
    num_layers, num_heads = len(result.weights), len(result.weights[0])
    layers = [layer - 1] if 0 < layer <= num_layers else list(range(num_layers))
    heads = [head - 1] if 0 < head <= num_heads else list(range(num_heads))
    unknown = f", {result.num_unknown} of them unknown" if result.num_unknown else ""
    lines = [
        f"attention of {result.checkpoint}: each row is what a token looks at "
        f"({len(result.tokens)} tokens{unknown})"
    ]
    for at in layers:
        if len(layers) * len(heads) <= _MOST_MAPS or layer:
            for one in heads:
                title = f"layer {at + 1} head {one + 1}, entropy {result.entropies[at][one]:.2f} nats"
                lines += heat_map(title, result.tokens, result.weights[at][one])
        else:
            entropy = sum(result.entropies[at]) / num_heads
            title = f"layer {at + 1}, mean of {num_heads} heads (see --layer), entropy {entropy:.2f} nats"
            lines += heat_map(title, result.tokens, _mean([result.weights[at][one] for one in heads]))
    return lines


def heat_map(title: str, tokens: Sequence[str], weights: Sequence[Sequence[float]]) -> list[str]:
    """A row for each token, two characters for each that it looks at; darker by the square root of the weight."""
    most = max((max(row) for row in weights), default=0.0) or 1.0
    numbers = "".join(f"{number % 100:>2}" for number in range(1, len(tokens) + 1))
    lines = ["", f"  {title}; {_SHADES[-1]} is {most:.2f}", f"  {'':{_LABEL}}    {numbers}"]
    for number, (token, row) in enumerate(zip(tokens, weights, strict=True), 1):
        cells = "".join(2 * _SHADES[round((value / most) ** 0.5 * (len(_SHADES) - 1))] for value in row)
        lines.append(f"  {_cell(token, _LABEL)} {number:>2} {cells}".rstrip())
    return lines


def neighbour_lines(result: Neighbours) -> list[str]:
    """Each word's nearest tokens, and the map."""
    lines = [f"embeddings of {result.checkpoint}: nearest tokens by cosine"]
    for one in result.words:
        made_of = f"(mean of {' '.join(one.tokens)})  " if len(one.tokens) > 1 else ""
        nearest = "  ".join(f"{near.token} {near.similarity:.2f}" for near in one.nearest)
        lines.append(f"  {_cell(one.word, _LABEL)}  {made_of}{nearest}")
    if result.unknown:
        lines.append(f"  not in the vocabulary: {', '.join(result.unknown)}")
    first, second = (100 * share for share in result.explained)
    lines += [
        "",
        f"the {len(result.points)} most frequent tokens on two principal components "
        f"({first:.1f} % and {second:.1f} % of their variance); words that would overlap are left out",
    ]
    return lines + word_map([(point.token, point.x, point.y) for point in result.points])


def word_map(
    points: Sequence[tuple[str, float, float]], width: int = _MAP_WIDTH, height: int = _MAP_HEIGHT
) -> list[str]:
    """Words at their places, the first ones first: a word that would touch another one is left out."""
    if not points:
        return []
    across, up = _shares([x for _, x, _ in points]), _shares([y for _, _, y in points])
    rows: list[list[tuple[int, str]]] = [[] for _ in range(height)]
    for (token, _, _), x, y in zip(points, across, up, strict=True):
        text = safe_text(token, _LABEL)
        size = cell_len(text)
        row = round((1 - y) * (height - 1))
        column = round(x * max(0, width - size))
        if all(column > at + cell_len(there) or at > column + size for at, there in rows[row]):
            rows[row].append((column, text))
    lines: list[str] = []
    for words in rows:
        line = ""
        for column, text in sorted(words):
            line += " " * (column - cell_len(line)) + text
        lines.append(f"  {line}".rstrip())
    return lines


def token_lines(result: TokenLosses) -> list[str]:
    """The easiest and the hardest tokens."""
    what = "labels" if result.task == "label" else "tokens"
    lines = [
        f"losses by token of {result.checkpoint}: {result.num_predictions:,} {_TASKS[result.task]} in "
        f"{result.num_sequences:,} validation sequences, mean loss {result.loss:.4f}, "
        f"{100 * result.accuracy:.1f} % right",
        f"  {result.num_counted:,} of {result.num_tokens:,} {what} were predicted at least "
        f"{result.question.min_count} times; the easiest and the hardest of them:",
        f"  {'':{_LABEL}}  {'loss':>7} {'right':>7} {'count':>7}",
    ]
    worst = [row for row in result.worst if row not in result.best]
    return [*lines, *map(_token_row, result.best), *(["  …"] if worst else []), *map(_token_row, reversed(worst))]


def sentence_lines(result: SentenceLosses) -> list[str]:
    """Each token's loss, and what the model would have said."""
    how = {
        "masked": "each token hidden in its turn",
        "next": "each token from those before it",
        "label": "what the label costs when a token is hidden",
    }[result.task]
    lines = [f"sentence in {result.checkpoint}: {how}"]
    if result.guesses:
        lines.append("  label: " + _guesses(result.guesses))
    lines.append(f"  {'':{_LABEL}}  {'loss':>7}  guesses")
    for place in result.places:
        token = f"{place.token} (unknown)" if place.is_unknown and place.token != "[UNK]" else place.token
        lines.append(f"  {_cell(token, _LABEL)}  {place.loss:>7.3f}  {_guesses(place.guesses)}")
    if result.task != "label":
        lines.append(f"  sum of the losses {result.total:.3f} nats, perplexity {result.perplexity:,.1f}")
    return lines


def calibration_lines(result: Calibration) -> list[str]:
    """The reliability diagram, bin by bin: a bar for how often it was right, | for how sure it was."""
    surplus = result.confidence - result.accuracy
    manner = "surer than right" if surplus > 0 else "righter than sure"
    lines = [
        f"calibration of {result.checkpoint}: {result.num_predictions:,} {_TASKS[result.task]} in "
        f"{result.num_sequences:,} validation sequences",
        f"  expected calibration error {100 * result.ece:.2f} %, largest gap {100 * result.largest_gap:.1f} %; "
        f"sure {100 * result.confidence:.1f} %, right {100 * result.accuracy:.1f} % ({manner})",
        f"  {'sure':>9} {'count':>8} {'mean':>6} {'right':>6}",
    ]
    for one in result.bins:
        span = f"{100 * one.low:.0f}–{100 * one.high:.0f} %"
        if not one.count:
            lines.append(f"  {span:>9} {0:>8}")
            continue
        bar = ["█" if place < round(one.accuracy * _BAR) else " " for place in range(_BAR + 1)]
        bar[round(one.confidence * _BAR)] = "|"
        figures = f"{100 * one.confidence:>5.1f}% {100 * one.accuracy:>5.1f}%"
        lines.append(f"  {span:>9} {one.count:>8,} {figures} {''.join(bar)}".rstrip())
    return lines


def _token_row(row: TokenLoss) -> str:
    return f"  {_cell(row.token, _LABEL)}  {row.loss:>7.3f} {100 * row.accuracy:>5.1f} % {row.count:>7,}"


def _guesses(guesses: Sequence[object]) -> str:
    return "  ".join(
        f"{getattr(guess, 'token', '')} {getattr(guess, 'probability', 0.0):.2f}" for guess in guesses
    )


def _cell(text: str, width: int) -> str:
    """Exactly so many cells of the terminal, also for characters that take two."""
    safe = safe_text(text, 200)
    return set_cell_size(safe if cell_len(safe) <= width else set_cell_size(safe, width - 1) + "…", width)


def _shares(values: Sequence[float]) -> list[float]:
    """Where each value lies between the least, 0, and the greatest, 1."""
    low = min(values)
    span = (max(values) - low) or 1.0
    return [(value - low) / span for value in values]


def _mean(maps: Sequence[Sequence[Sequence[float]]]) -> list[list[float]]:
    return [[sum(values) / len(maps) for values in zip(*rows, strict=True)] for rows in zip(*maps, strict=True)]


def _number(loss: float | None, noise: float | None) -> str:
    if loss is None:
        return ""
    return f"{loss:.4f}" if noise is None else f"{loss:.4f}, noise {noise:.4f}"


def _loss_at(loss: float | None, step: int | None) -> str:
    return "" if loss is None or step is None else f"{loss:.4f} at step {step:,}"


def _gains(verdict: Verdict) -> str:
    if verdict.gain is None or verdict.train_gain is None:
        return ""
    return f"validation fell by {verdict.gain:.4f}, training by {verdict.train_gain:.4f}"
