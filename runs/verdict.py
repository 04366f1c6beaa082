"""Over- or underfitting, from the curves of the training and the validation loss.

Thresholds: a change between two means counts when it is above 3.5 of its standard errors, by the noise of the
curve itself, and than 0.5 % of the loss. It is too early to tell with fewer than 6 evaluations after step 0, or 8
training records.

overfitting: the last 3 evaluations are worse than the best 3 in a row before them, while the training loss went on
falling since. diverging: the same, while it did not. underfitting: validation still falls over the last third of
the run, or it is level and no better than what word frequency alone scores. plateau: validation is level over the
last third, while the training loss still fell. level: neither curve moves any more.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Literal

import msgspec

from presets.schema import EVALUATION_MASK_RATE, ObjectiveConfig, RunConfig
from runs.reader import RunSnapshot

VerdictKind = Literal["too early", "underfitting", "level", "plateau", "overfitting", "diverging"]
Curve = Sequence[tuple[float, float]]

LEAST_EVALUATIONS = 6
LEAST_RECORDS = 8
TIMES_NOISE = 3.5
LEAST_CHANGE = 0.005
_LAST = 3
_EVALUATION_SHARES = (ObjectiveConfig().mask_token_share, ObjectiveConfig().random_token_share)
_NORMAL_MAD = 1.4826  # standard deviation over median absolute deviation, of normal noise


class Verdict(msgspec.Struct, frozen=True):
    """What the curves say, in a plain sentence, and the figures it rests on; losses in nats.

    best_loss, best_step, last_loss: of the evaluations (last: median of the last 3). train_loss: mean of the last
    tenth. gap: last_loss − train_loss, None where the two are not the same quantity. gain: what the last third of
    the run took off the validation loss, train_gain: off the training loss. noise: standard deviation of one
    evaluation around its curve. epochs: times the data were seen, None where unknown.
    """

    kind: VerdictKind
    sentence: str
    num_evaluations: int = 0
    num_records: int = 0
    best_loss: float | None = None
    best_step: int | None = None
    last_loss: float | None = None
    train_loss: float | None = None
    gap: float | None = None
    gain: float | None = None
    train_gain: float | None = None
    noise: float | None = None
    train_noise: float | None = None
    epochs: float | None = None
    notes: tuple[str, ...] = ()


def verdict_of(run: RunSnapshot) -> Verdict:
    """Of a run as its reader sees it; call it in the reader's thread."""
    curves = {
        name: tuple(zip(series.step, series.value, strict=True))
        for name in ("loss", "val_loss", "epoch")
        if (series := run.series.get(name)) is not None
    }
    epochs = max((value for _, value in curves.get("epoch", ()) if math.isfinite(value)), default=None)
    return judge(
        curves.get("loss", ()),
        curves.get("val_loss", ()),
        unigram_loss=run.baselines.unigram_loss if run.baselines else None,
        epochs=epochs,
        differences=_differences(run.config),
    )


def judge(
    train: Curve,
    validation: Curve,
    *,
    unigram_loss: float | None = None,
    epochs: float | None = None,
    differences: tuple[str, ...] = (),
) -> Verdict:
    """train, validation: (step, loss) in the order of the steps; what is not finite, and step 0, does not count.

    unigram_loss: what word frequency scores. differences: why the two losses are not the same quantity.
    """
    train, validation = _counting(train), _counting(validation)
    if len(validation) < LEAST_EVALUATIONS or len(train) < LEAST_RECORDS:
        return Verdict(
            "too early",
            f"Too early to tell: there are {_count(len(validation), 'evaluation')} and "
            f"{_count(len(train), 'training record')} after the first step, and it takes {LEAST_EVALUATIONS} and "
            f"{LEAST_RECORDS}.",
            num_evaluations=len(validation),
            num_records=len(train),
            epochs=epochs,
        )
    noise, train_noise = curve_noise(validation), curve_noise(train)
    best_step, best = min(validation, key=lambda point: point[1])
    last = statistics.median(value for _, value in validation[-_LAST:])
    gain, num_early, num_late = _gain(validation)
    train_gain, train_early, train_late = _gain(train)
    train_now = statistics.fmean(value for _, value in train[-max(_LAST, len(train) // 10) :])
    since_best = _since(train, best_step)
    verdict = Verdict(
        "level",
        "",
        num_evaluations=len(validation),
        num_records=len(train),
        best_loss=best,
        best_step=int(best_step),
        last_loss=last,
        train_loss=train_now,
        gap=None if differences else last - train_now,
        gain=gain,
        train_gain=train_gain,
        noise=noise,
        train_noise=train_noise,
        epochs=epochs,
        notes=tuple(f"The two losses are not the same quantity: {why}." for why in differences),
    )
    worse = last - _best_level(validation[:-_LAST])
    has_risen = worse > _threshold(best, noise, _LAST, _LAST)
    still_gains = gain > _threshold(last, noise, num_early, num_late)
    train_falls = train_gain > _threshold(train_now, train_noise, train_early, train_late)
    if has_risen:
        is_fitted = since_best > _threshold(train_now, train_noise, _LAST, _LAST)
        return _replaced(verdict, *(_overfitting(verdict, worse) if is_fitted else _diverging(verdict, worse)))
    if still_gains:
        return _replaced(verdict, *_still_learning(verdict))
    if unigram_loss is not None and last > unigram_loss - _threshold(unigram_loss, noise, _LAST, 10**9):
        return _replaced(verdict, *_no_better_than_frequency(verdict, unigram_loss))
    if train_falls:
        return _replaced(verdict, *_plateau(verdict))
    return _replaced(verdict, *_level(verdict))


def _counting(curve: Curve) -> Curve:
    """The finite points after step 0, the last of each step: an evaluation can be asked for again at its step."""
    of_steps = {step: value for step, value in curve if step > 0 and math.isfinite(value)}
    return sorted(of_steps.items())


def curve_noise(curve: Curve) -> float:
    """Standard deviation of the points around their smooth course.

    From second differences, in which a straight course cancels and whose variance is 6 times that of independent
    noise; their median, so that the steep beginning and single spikes hardly count.
    """
    values = [value for _, value in curve]
    seconds = [abs(a - 2 * b + c) for a, b, c in zip(values, values[1:], values[2:], strict=False)]
    late = seconds[len(seconds) // 3 :]  # the beginning is steep and curved
    return _NORMAL_MAD * statistics.median(late) / math.sqrt(6) if late else 0.0


def _best_level(curve: Curve) -> float:
    """The least mean of 3 evaluations in a row: a single best one is best by luck as well."""
    values = [value for _, value in curve]
    return min(statistics.fmean(values[first : first + _LAST]) for first in range(len(values) - _LAST + 1))


def _threshold(loss: float, noise: float, num_before: int, num_after: int) -> float:
    """Above which a difference of two means, of so many points each, counts."""
    error = noise * math.sqrt(1 / num_before + 1 / num_after)
    return max(TIMES_NOISE * error, LEAST_CHANGE * abs(loss))


def _gain(curve: Curve) -> tuple[float, int, int]:
    """How far the curve fell over the last third of the steps, and of how many points the two ends are means."""
    first, last = curve[0][0], curve[-1][0]
    begins = last - (last - first) / 3
    late = [value for step, value in curve if step >= begins]
    before = [value for step, value in curve if step < begins]
    num = max(1, min(len(late) // 2, len(before), 10))
    near = before[-num:]
    return statistics.fmean(near) - statistics.fmean(late[-num:]), len(near), num


def _since(train: Curve, step: float) -> float:
    """How far the training loss fell since a step, by the means of the points next to it and of the last ones."""
    before = [value for at, value in train if at <= step][-_LAST:] or [train[0][1]]
    return statistics.fmean(before) - statistics.fmean(value for _, value in train[-_LAST:])


def _overfitting(v: Verdict, worse: float) -> tuple[VerdictKind, str]:
    seen = "" if v.epochs is None or v.epochs > 1 else (
        " No sequence was seen twice, so look for text that occurs more than once in the training split."
    )  # fmt: skip
    return "overfitting", (
        f"Overfitting: the validation loss was best at step {v.best_step:,} ({v.best_loss:.3f}) and has risen by "
        f"about {worse:.3f} since, while the training loss went on falling, to {v.train_loss:.3f}. Use the best "
        f"checkpoint; more data, dropout or a smaller model would help.{seen}"
    )


def _diverging(v: Verdict, worse: float) -> tuple[VerdictKind, str]:
    return "diverging", (
        f"Getting worse: the validation loss was best at step {v.best_step:,} ({v.best_loss:.3f}) and has risen "
        f"by about {worse:.3f} since, and the training loss ({v.train_loss:.3f}) did not fall either. That is not "
        f"overfitting; a lower learning rate or more warm-up would help."
    )


def _still_learning(v: Verdict) -> tuple[VerdictKind, str]:
    return "underfitting", (
        f"Underfitting so far: the validation loss still fell by {v.gain:.3f} in the last third of the run, to "
        f"{v.last_loss:.3f}{_gap_words(v)}. More steps would help."
    )


def _no_better_than_frequency(v: Verdict, unigram_loss: float) -> tuple[VerdictKind, str]:
    return "underfitting", (
        f"Underfitting: the validation loss ({v.last_loss:.3f}) is level and no better than what word frequency "
        f"alone scores ({unigram_loss:.3f}). A larger model or another learning rate would help, more of the same "
        f"would not."
    )


def _plateau(v: Verdict) -> tuple[VerdictKind, str]:
    advice = "More steps would only memorise; more data or dropout would help."
    if v.epochs is not None and v.epochs <= 1:  # nothing was seen twice, so nothing is being memorised
        advice = "No sequence was seen twice, so look whether the validation text is of another kind."
    elif v.epochs is None:
        advice = "More data or dropout would help."
    return "plateau", (
        f"At the edge of overfitting: the validation loss is level at {v.last_loss:.3f}, while the training loss "
        f"still fell by {v.train_gain:.3f} in the last third, to {v.train_loss:.3f}{_gap_words(v)}. {advice}"
    )


def _level(v: Verdict) -> tuple[VerdictKind, str]:
    return "level", (
        f"Neither: validation ({v.last_loss:.3f}) and training loss ({v.train_loss:.3f}) are both level"
        f"{_gap_words(v)}. More of the same would change little; a larger model or more data would."
    )


def _gap_words(v: Verdict) -> str:
    if v.gap is None:
        return ""
    if v.gap < 0:
        return f", {-v.gap:.3f} below training"
    return f", a gap of {v.gap:.3f} between the two"


def _replaced(verdict: Verdict, kind: VerdictKind, sentence: str) -> Verdict:
    return msgspec.structs.replace(verdict, kind=kind, sentence=sentence)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _differences(config: RunConfig | None) -> tuple[str, ...]:
    """Why the training loss of this configuration is not what validation would give on the same text."""
    if config is None:
        return ()
    objective, model = config.objective, config.model
    why: list[str] = []
    ends = dict.fromkeys((objective.mask_rate, objective.mask_rate_end or objective.mask_rate))
    if objective.has_masks and tuple(ends) != (EVALUATION_MASK_RATE,):
        rate = " to ".join(f"{end:g}" for end in ends)
        why.append(f"training hides {rate} of the tokens, evaluation {EVALUATION_MASK_RATE:g}")
    shares = (objective.mask_token_share, objective.random_token_share)
    if objective.has_masks and shares != _EVALUATION_SHARES:
        of_training, of_evaluation = (f"{mask:g} and {other:g}" for mask, other in (shares, _EVALUATION_SHARES))
        why.append(
            f"of the tokens it hides, training makes {of_training} to [MASK] and to random ones, evaluation "
            f"{of_evaluation}"
        )
    if objective.has_masks and objective.whole_words:
        why.append("training hides whole words, evaluation does not")
    if max(model.dropout, model.attention_dropout, model.embedding_dropout) > 0:
        why.append("training drops units, evaluation does not")
    if objective.label_smoothing:
        why.append("training smooths its targets")
    if config.optim.ema_decay:
        why.append("evaluation uses averaged weights")
    if config.curriculum.order != "none" or config.curriculum.start_length:
        why.append("training begins with easy sequences")
    return tuple(why)
