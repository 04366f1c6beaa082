"""The parts of the report that are words and tables: settings, figures, probes, events, how it was started."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from presets import config as configs
from presets.catalog import find_preset
from presets.fields import FieldSpec
from presets.schema import FIELDS, RunConfig
from runs.clock import local_time
from runs.compared_figures import figure_rows
from runs.confusion import last_judged
from runs.events import Expected, Probed, ProbeResult
from runs.folder import RunFolder, read_struct
from runs.launch_record import LaunchRecord
from runs.reader import RunSnapshot
from runs.status import SIGNS, read_outcome
from tui.cli_lines import to_beat
from tui.figure_words import figure_words, unit_words, value_words
from tui.figures import count, elapsed
from tui.label_lines import label_lines
from tui.report.charts import probe_charts
from tui.report.html import Html, details, element, join, lines, section, table
from tui.run_words import sentence_of

_MOST_COLUMNS = 9
_MOST_WORDS = 10
_COLOURS = {"finished": "good", "running": "good", "failed": "bad", "lost": "bad", "stalled": "warn"}
_PLACE = "%Y-%m-%d %H:%M:%S"


def heading(run: RunSnapshot) -> Html:
    """Name, state, tags, note, and in a sentence what it is."""
    about, status, started = run.about, run.status, run.started
    state = element("span", f"{SIGNS[status.state]} {status.state}", class_=_COLOURS.get(status.state, "soft"))
    reason = f": {status.reason}" if status.reason else ""
    made = f", made {local_time(about.created, _PLACE)}" if about.created else ""
    facts = [f"{run.folder.id} · preset {about.preset or '(none)'}{made}"]
    if started is not None:
        facts.append(
            f"{started.dataset}: {started.train_rows:,} rows to train on, {started.validation_rows:,} held out; "
            f"{count(started.num_parameters)} parameters on {started.device} in {started.precision}"
            + (f", {started.num_processes} processes" if started.num_processes > 1 else "")
        )
    tags = [element("span", tag, class_="tag") for tag in about.tags]
    parts = [element("h1", about.name), element("p", state, reason)]
    parts += [element("p", fact, class_="soft") for fact in facts]
    parts += [element("p", *tags)] if tags else []
    parts += [element("p", lines(about.note, 4000))] if about.note else []
    return element("header", *parts)


def cards(run: RunSnapshot, num_bytes: int | None) -> Html:
    """Its final figures, one a card, and what they have to beat."""
    rows = figure_rows([run], [num_bytes], in_nats=True, in_bits=True)
    made = [
        element(
            "div",
            element("span", row.label + unit_words(row.unit), class_="soft"),
            element("b", figure_words(row.values[0], row.unit)),
            class_="card",
        )
        for row in rows
    ]
    beat = [element("p", f"To beat: {to_beat(run.baselines, run.config)} (nats).")] if run.baselines else []
    return section("Figures", *beat, element("div", *made, class_="cards"))


def labels(run: RunSnapshot) -> Html:
    """How well each label is told apart, of a model that classifies."""
    judged = last_judged(run.events)
    if judged is None:
        return Html("")
    return section("Labels", element("pre", lines("\n".join(label_lines(judged)))))


def settings(run: RunSnapshot) -> Html:
    """What differs from the preset, then every field, then the file that runs it again."""
    if run.config is None:
        return section("Settings", element("p", "Its configuration cannot be read.", class_="bad"))
    changed = [spec for spec in FIELDS if configs.get_value(run.config, spec.path) != spec.default]
    parts: list[Html] = []
    preset = _preset(run.about.preset)
    if preset is not None:
        changes = configs.diff(preset, run.config)
        rows = [(c.path, value_words(c.before), value_words(c.after)) for c in changes]
        words = (
            f"Changed from the preset {run.about.preset}" if rows else f"As the preset {run.about.preset} has it"
        )
        parts.append(element("h3", words))
        parts += [table(("setting", "preset", "this run"), list(rows))] if rows else []
    parts.append(element("h3", f"Not at its default: {len(changed)} of {len(FIELDS)}"))
    parts.append(table(("setting", "value", "default", "what it is"), [_setting(run.config, s) for s in changed]))
    same = [spec for spec in FIELDS if spec not in changed]
    rest = table(("setting", "value", "what it is"), [(*_setting(run.config, s)[:2], s.help) for s in same])
    parts.append(details(f"The {len(same)} settings at their defaults", rest))
    toml = element("pre", lines(configs.to_toml(run.config)))
    again = "As a file: save it as run.toml, then tinytrain-tui train run.toml runs it again"
    return section("Settings", *parts, details(again, toml))


def probes(probed: Sequence[Probed]) -> Html:
    """Curves of the leading words, the newest answers in full, and how the first word changed over the run."""
    if not probed:
        return section("Probes", element("p", "It was not probed.", class_="soft"))
    newest = probed[-1]
    parts: list[Html] = [probe_charts(probed), element("h3", f"Answers at step {newest.step:,}")]
    parts.append(element("div", *(_answer(result) for result in newest.probes), class_="answers"))
    if len(probed) > 1:
        chosen = _spread(probed, _MOST_COLUMNS)
        head = ("likeliest at step", *(f"{one.step:,}" for one in chosen))
        parts += [element("h3", "Over the run"), table(head, _history(chosen))]
    return section("Probes", *parts)


def events(run: RunSnapshot) -> Html:
    """What happened, as sentences, oldest first."""
    rows = [(local_time(event.time, _PLACE), sentence_of(event)) for event in run.events]
    if not rows:
        return section("Events", element("p", "Nothing was recorded.", class_="soft"))
    return section("Events", table(("", ""), list(rows)))


def failure(run: RunSnapshot) -> Html:
    """Why it failed, with the whole traceback."""
    error = run.error
    if error is None:
        return Html("")
    said = element("p", f"rank {error.rank}: {error.exception}: {error.message}", class_="bad")
    hint = [element("p", f"What may help: {error.hint}")] if error.hint else []
    return section("Why it failed", said, *hint, details("Traceback", element("pre", lines(error.traceback))))


def provenance(folder: RunFolder, run: RunSnapshot) -> Html:
    """Commands, versions, source, machine and attempts: what it takes to do it again."""
    launch = read_struct(folder.launch_file, LaunchRecord)
    parts: list[Html] = []
    if launch is not None:
        parts.append(element("pre", lines(shlex.join(launch.argv), 8000)))
        git = "not from a git tree"
        if launch.git is not None:
            git = f"commit {launch.git.commit}" + (
                ", with changes that are not committed" if launch.git.dirty else ""
            )
        rows = [("source", git), ("folder it was started in", launch.cwd), ("machine", launch.host)]
        rows += [("system", launch.platform)]
        rows += [(name, version) for name, version in launch.versions.items()]
        rows += [(name, value) for name, value in launch.environment.items()]
        parts.append(table(("", ""), list(rows)))
    parts.append(element("h3", "Hardware"))
    parts.append(table(("", ""), _hardware(run)))
    parts.append(element("h3", "Attempts"))
    parts.append(table(("attempt", "ended", "at step", "time", "why"), _attempts(folder)))
    return section("How it was run", *parts)


def _preset(name: str) -> RunConfig | None:
    try:
        return find_preset(name).config
    except (LookupError, ValueError, OSError):  # it is gone, or damaged by now
        return None


def _setting(config: RunConfig, spec: FieldSpec) -> tuple[str, ...]:
    value = value_words(configs.get_value(config, spec.path))
    unit = f" {spec.unit}" if spec.unit else ""
    return spec.path, value + unit, value_words(spec.default), spec.help


def _answer(result: ProbeResult) -> Html:
    unknown = f" ({result.num_unknown} unknown words)" if result.num_unknown else ""
    parts = [element("p", element("b", result.text), unknown)]
    if result.generated:
        parts.append(element("pre", lines(result.text + result.generated, 8000)))
    for expected in result.expected:
        parts.append(element("p", _rank(expected), class_="soft"))
    for mask, candidates in enumerate(result.masks):
        rows: list[tuple[str, ...]] = []
        for candidate in candidates[:_MOST_WORDS]:
            share = min(max(candidate.probability, 0.0), 1.0)
            bar = element("span", style=f"width:{share * 12:.2f}rem", class_="bar")
            rows.append((candidate.token, join(bar, f"{100 * candidate.probability:.1f} %")))
        if len(result.masks) > 1:
            parts.append(element("p", f"mask {mask + 1}", class_="soft"))
        parts.append(table(("", ""), rows))
    return element("div", *parts)


def _rank(expected: Expected) -> str:
    """How near it came to the word that belongs there."""
    if expected.rank < 1:
        return f"{expected.word} belongs there; the vocabulary does not know it"
    return f"{expected.word} belongs there: rank {expected.rank:,}, {100 * expected.probability:.1f} %"


def _history(chosen: Sequence[Probed]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for text in dict.fromkeys(result.text for one in chosen for result in one.probes):
        found = [next((r for r in one.probes if r.text == text), None) for one in chosen]
        for mask in range(max((len(result.masks) for result in found if result), default=0)):
            cells = [_leader(result, mask) for result in found]
            rows.append((text if mask == 0 else f"… mask {mask + 1}", *cells))
    return rows


def _leader(result: ProbeResult | None, mask: int) -> str:
    if result is None or mask >= len(result.masks) or not result.masks[mask]:
        return "-"
    first = result.masks[mask][0]
    return join(first.token, element("br"), element("span", f"{100 * first.probability:.1f} %", class_="soft"))


def _spread(probed: Sequence[Probed], most: int) -> list[Probed]:
    """The first, the last, and others evenly between."""
    if len(probed) <= most:
        return list(probed)
    return [probed[round(place * (len(probed) - 1) / (most - 1))] for place in range(most)]


def _hardware(run: RunSnapshot) -> list[tuple[str, ...]]:
    started = run.started
    if started is None:
        return [("device", "it never got so far")]
    rows = [("device", started.device), ("precision", started.precision)]
    rows.append(("processes", f"{started.num_processes}"))
    figures = figure_rows([run], [None], in_nats=True, in_bits=True)
    for memory in (row for row in figures if row.name == "memory_peak_bytes"):
        rows.append(("most memory held by the first process", figure_words(memory.values[0], memory.unit)))
    return list(rows)


def _attempts(folder: RunFolder) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for attempt in folder.attempts():
        outcome = read_outcome(attempt)
        if outcome is None:
            rows.append((f"{attempt.number}", "no end was recorded", "", "", ""))
            continue
        ended = f"{outcome.state} {local_time(outcome.ended, _PLACE)}" if outcome.ended else outcome.state
        of = f" of {outcome.total_steps:,}" if outcome.total_steps else ""
        step = f"{outcome.step:,}{of}"
        rows.append((f"{attempt.number}", ended, step, elapsed(outcome.elapsed_s), outcome.reason))
    return rows
