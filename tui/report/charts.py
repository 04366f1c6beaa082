"""Which pictures a report has: those that everybody wants first, then every other metric that was recorded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from runs.events import ControlAnswered, Probed
from runs.reader import RunSnapshot
from runs.series import Series
from tui.metric_words import metric_words
from tui.probe_words import ranks_of
from tui.report.html import Html, element, join
from tui.report.svg import Curve, Picture, draw, legend, spans_decades
from tui.run_charts import splice_words

_MOST_CHARTS = 60
_WORDS_A_PROBE = 4

_FIRST = (
    "lr", "grad_norm", "tokens_per_second", "step_time_s", "memory_peak_bytes", "memory_allocated_bytes",
    "host_memory_bytes", "flops_per_second", "utilisation", "update_ratio", "skipped_updates",
    "samples_per_second", "data_time_s",
)  # fmt: skip
"""In this order; their axes begin at zero."""

_TOGETHER = frozenset({"loss", "val_loss", "val_accuracy", "val_accuracy_known", "val_perplexity"})
_NOISY = frozenset(
    {"grad_norm", "tokens_per_second", "step_time_s", "samples_per_second", "data_time_s", "utilisation"}
)
_SHARES = ("accuracy", "f1", "precision", "recall", "utilisation")


def loss_chart(run: RunSnapshot) -> Html:
    """Training and validation loss, with what guessing and frequency score, and what was done meanwhile."""
    curves = tuple(
        Curve(run.series[name], label, colour, dots=name == "val_loss", smooth=name == "loss")
        for name, label, colour in (("loss", "train", 0), ("val_loss", "validation", 1))
        if run.series.get(name)
    )
    if not curves:
        return element("p", "It recorded no loss.", class_="soft")
    known = run.baselines
    guides: list[tuple[str, float]] = []
    if known is not None:
        guides = [("unigram", known.unigram_loss), ("uniform", known.uniform_loss)]
        guides += [("floor", known.floor_loss)] if known.floor_loss is not None else []
    best = None
    if run.best_loss is not None and run.best_step is not None:
        best = (float(run.best_step), run.best_loss)
    picture = Picture(
        curves, _last_step(run), tuple(guides), tuple(_marks(run)), best,
        width=1040, height=340, title="loss (nats)", first_step=run.first_step,
    )  # fmt: skip
    caption = join("loss (nats) over steps  ", legend(curves), "★ best" if best else "")
    return element("figure", draw(picture), element("figcaption", caption))


def other_charts(run: RunSnapshot) -> Html:
    """Accuracy, then the known metrics in their order, then all others by name."""
    last, first = _last_step(run), float(run.first_step)
    found: list[Html] = []
    shares = [name for name in ("val_accuracy", "val_accuracy_known") if run.series.get(name)]
    if len(shares) == 2 and run.series[shares[0]].value == run.series[shares[1]].value:
        shares = shares[:1]  # no word of the text is unknown
    if shares:
        curves = tuple(
            Curve(run.series[name], label, colour, dots=True)
            for colour, (name, label) in enumerate(
                zip(shares, ("accuracy", "without unknown words"), strict=False)
            )
        )
        picture = Picture(curves, last, share=True, title="accuracy", first_step=first)
        found.append(_figure(picture, "accuracy"))
    names = [name for name in _FIRST if run.series.get(name)]
    names += sorted(
        name for name in run.series if name not in _FIRST and name not in _TOGETHER and run.series[name]
    )
    for name in names[:_MOST_CHARTS]:
        title, from_zero = metric_words(name), name in _FIRST
        share = any(word in name for word in _SHARES)
        is_validation = name.startswith("val_")
        curve = Curve(run.series[name], title, 1 if is_validation else 0, is_validation, smooth=name in _NOISY)
        is_log = not share and spans_decades(run.series[name])
        title += ", in decades" if is_log else ""
        picture = Picture(
            (curve,), last, from_zero=from_zero, share=share, is_log=is_log, title=title, first_step=first
        )
        found.append(_figure(picture, title))
    left = len(names) - _MOST_CHARTS
    more = [element("p", f"… and {left} more metrics", class_="soft")] if left > 0 else []
    return join(element("div", *found, class_="grid"), *more)


def probe_charts(probes: Sequence[Probed]) -> Html:
    """For each mask, the probability of the words that led at the end, over the run."""
    if len(probes) < 2:
        return Html("")
    found: list[Html] = []
    for result in probes[-1].probes:
        for mask, candidates in enumerate(result.masks):
            words = [candidate.token for candidate in candidates[:_WORDS_A_PROBE]]
            curves = tuple(
                Curve(_probability(probes, result.text, mask, word), word, colour)
                for colour, word in enumerate(words)
            )
            title = result.text if len(result.masks) == 1 else f"{result.text} (mask {mask + 1})"
            picture = Picture(
                curves, float(probes[-1].step), from_zero=True, share=True, title=title, height=180,
                first_step=float(probes[0].step),
            )  # fmt: skip
            found.append(_figure(picture, title))
    return join(element("div", *found, class_="grid"), _rank_charts(probes))


def _rank_charts(probes: Sequence[Probed]) -> Html:
    """For each sentence, the ranks of the words that belong in it over the run; rank 1 is the likeliest."""
    found: list[Html] = []
    known = [rank for rank in ranks_of(probes, len(probes) - 1) if rank.steps]
    for text in dict.fromkeys(rank.text for rank in known):
        curves: list[Curve] = []
        for rank in [rank for rank in known if rank.text == text][:_WORDS_A_PROBE]:
            series = Series()
            for step, place in zip(rank.steps, rank.ranks, strict=True):
                series.append(step, place)
            curves.append(Curve(series, rank.word, len(curves), dots=True))
        words = ", ".join(curve.label for curve in curves)
        picture = Picture(
            tuple(curves), float(probes[-1].step), is_rank=True, height=180, first_step=float(probes[0].step)
        )
        found.append(_figure(picture, f"{text}: rank of {words}"))
    head = element("h3", "Rank of the word that belongs there, over the run")
    return join(head, element("div", *found, class_="grid")) if found else Html("")


def _probability(probes: Iterable[Probed], text: str, mask: int, word: str) -> Series:
    """Of a word by step; a gap where it was not among those that were recorded."""
    series = Series()
    for probed in probes:
        for result in probed.probes:
            if result.text == text and mask < len(result.masks):
                shares = {candidate.token: candidate.probability for candidate in result.masks[mask]}
                series.append(probed.step, shares.get(word, float("nan")))
    return series


def _figure(picture: Picture, title: str) -> Html:
    words = join(title, "  ", legend(picture.curves)) if len(picture.curves) > 1 else title
    return element("figure", draw(replace(picture, title=title)), element("figcaption", words))


def _marks(run: RunSnapshot) -> Iterable[tuple[float, str]]:
    for step in run.splices:
        yield float(step), splice_words(run, step)
    for control in run.controls:
        yield float(control.step), _asked(control)


def _asked(control: ControlAnswered) -> str:
    return f"{control.verb} {control.value}".strip()


def _last_step(run: RunSnapshot) -> float:
    ends = [series.step[-1] for series in run.series.values() if series]
    return max([float(run.step), *ends])
