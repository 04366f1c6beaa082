"""The report: one file that holds everything, loads nothing, runs nothing, and takes no text for markup."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest

from presets import config as configs
from presets.schema import RunConfig
from runs.events import Candidate, Expected, Probed, ProbeResult
from runs.folder import About, RunFolder, create_run
from runs.launch_record import GitState, LaunchRecord
from runs.series import Series
from tests.faults.payloads import payloads
from tests.run_writer import AttemptWriter, finished_run
from tui.report.document import report_name, write_report
from tui.report.html import Html, element, text
from tui.report.svg import Curve, Picture, draw, spans_decades

_VOID = {"meta", "br", "hr", "link", "img", "input", "base", "embed", "source"}
_HARMLESS = {
    "html", "head", "meta", "title", "style", "body", "header", "section", "h1", "h2", "h3", "p", "span", "div",
    "b", "table", "thead", "tbody", "tr", "th", "td", "details", "summary", "pre", "code", "figure", "figcaption",
    "br",
    "svg", "g", "line", "path", "polygon", "circle", "text",
}  # fmt: skip


@dataclass
class Page(HTMLParser):
    """Reads a page as a browser would: its elements, their attributes and its words."""

    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def said(self) -> str:
        return " ".join(self.words)


def read_page(html: str) -> Page:
    page = Page()
    page.feed(html)
    page.close()
    assert page.open == []
    return page


def report_of(folder: RunFolder, tmp_path: Path) -> str:
    return write_report(folder, tmp_path / "run.html").read_text(encoding="utf-8")


def require_harmless(html: str) -> Page:
    """It loads nothing and runs nothing."""
    page = read_page(html)
    for tag, attributes in page.tags:
        assert tag in _HARMLESS, tag
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            assert name not in ("src", "href", "xlink:href", "action", "formaction", "srcdoc"), (tag, name)
            if name == "style":
                assert re.fullmatch(r"width:\d+\.\d\drem", value), value
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)
    assert style is not None and "url(" not in style[1] and "@import" not in style[1]
    assert html.count("<style>") == 1
    return page


def test_a_setting_at_its_default_is_said_once(runs_path: Path, tmp_path: Path) -> None:
    html = report_of(finished_run(runs_path), tmp_path)
    (row,) = re.findall(r"<tr><th[^>]*>data.shuffle_buffer</th>(.*?)</tr>", html)
    assert row.count("<td>") == 2 and row.count("10000") == 1


def test_the_report_holds_all_that_is_known_of_the_run(runs_path: Path, tmp_path: Path) -> None:
    folder = finished_run(runs_path)
    folder.write_about(
        About("warm-otter", "quickstart", ("keep", "first"), "a note\nof two lines", 1_760_000_000.0)
    )
    record = LaunchRecord(
        1, ("python", "-m", "engine", "a folder"), "", "/work", "box", "Linux", {"torch": "2.13"},
        GitState("0123abcd", True), {"OMP_NUM_THREADS": "2"}, 0.0,
    )  # fmt: skip
    folder.launch_file.write_bytes(msgspec.json.encode(record))
    page = require_harmless(report_of(folder, tmp_path))
    for words in (
        *("warm-otter", "✓ finished", "keep", "a note\nof two lines", folder.id, "addresses (embedded)"),
        *("val loss, best (nats)", "To beat: 8.2940 by guessing, 6.5400 by word frequency"),
        *("the people of the united [MASK]", "states", "Answers at step 400", "likeliest at step"),
        *("learning rate", "gradient norm", "speed (tokens/s)", "memory held (bytes)"),
        *("train.max_steps", "400 steps", "Changed from the preset quickstart", "[optim]"),
        *("step 400 evaluated", "checkpoint step-00000400 saved", "finished at step 400: all steps done"),
        *("python -m engine 'a folder'", "0123abcd, with changes that are not committed", "2.13", "box"),
        *("Attempts", "400 of 400"),
    ):
        assert words in page.said, words
    charts = [attributes for tag, attributes in page.tags if tag == "svg" and attributes.get("role") == "img"]
    assert len(charts) > 10


def test_every_picture_is_well_formed_and_stays_within_its_frame(runs_path: Path, tmp_path: Path) -> None:
    html = report_of(finished_run(runs_path), tmp_path)
    pictures = re.findall(r'<svg viewBox="0 0 (\d+) (\d+)" role="img">.*?</svg>(?:</svg>)?', html)
    assert len(pictures) > 10
    for match in re.finditer(r"<figure>(<svg.*?</svg>)<figcaption>", html, re.DOTALL):
        tree = ElementTree.fromstring(match[1])
        for path in tree.iter("path"):
            numbers = [float(number) for number in re.findall(r"-?\d+\.?\d*", path.attrib["d"])]
            assert all(math.isfinite(number) and abs(number) < 10_000 for number in numbers)


def test_hostile_texts_stay_texts_wherever_they_stand(runs_path: Path, tmp_path: Path) -> None:
    evil = [
        "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</style><script>1</script>", "</title><b>",
        "<!--", "]]>", "&lt;script&gt;", "javascript:alert(1)", "'onmouseover='alert(1)", "</svg><script>",
        "\x00<s",
    ]  # fmt: skip
    hostile = [*evil, *payloads(60)]
    folder = create_run(runs_path, configs.with_values(RunConfig(), {"data.dataset": evil[1]}), preset="x")
    folder.write_about(About(evil[0], evil[1], tuple(evil[:5]), "\n".join(hostile), 1.0))
    writer = AttemptWriter(folder)
    writer.start(total_steps=100)
    for number, words in enumerate(hostile):
        writer.notice(words.encode("utf-8", "replace").decode())
        record = {"step": number + 1, "time": 1.0, "elapsed_s": 1.0, "tokens": 1, "loss": 5.0}
        writer.metrics.write({**record, words.encode("utf-8", "replace").decode() or "x": 1.0})
        writer.step = number + 1
    result = tuple(
        ProbeResult(words, ((Candidate(words, 0.5), Candidate(evil[0], 7.0)),), expected=(Expected(words),))
        for words in evil
    )
    for step in (10, 70):
        writer.say(Probed(step=step, probes=result))
    writer.fail(evil[0], evil[1], hint=evil[2])
    page = require_harmless(report_of(folder, tmp_path))
    assert "<script>alert(1)</script>" in page.said  # as words
    assert f"{evil[0]} belongs there; the vocabulary does not know it" in page.said
    for character in "\x1b\x9b\u202e\u2066\x00\u200b":
        assert character not in page.said


def test_no_part_of_a_page_can_be_made_of_a_plain_string() -> None:
    assert element("p", "<b>&\"'", class_='a"b') == '<p class="a&quot;b">&lt;b&gt;&amp;&quot;&#x27;</p>'
    assert element("p", element("b", "x"), text("<")) == "<p><b>x</b>&lt;</p>"
    assert "&lt;b&gt;" in element("p", f"{Html('<b>')} within")  # what was put together as text is text


def test_a_run_that_never_began_and_a_damaged_one_have_a_report_too(runs_path: Path, tmp_path: Path) -> None:
    new = create_run(runs_path, RunConfig(), name="new")
    said = require_harmless(report_of(new, tmp_path)).said
    assert "It recorded no loss." in said and "It was not probed." in said
    damaged = finished_run(runs_path, "damaged")
    damaged.config_file.write_bytes(b"\xff\xfe[")
    damaged.attempt(1).events_file.write_bytes(b"{torn")
    damaged.launch_file.write_text("[]")
    said = require_harmless(report_of(damaged, tmp_path)).said
    assert "Its configuration cannot be read." in said


def test_gaps_spikes_and_a_resume_are_drawn(runs_path: Path, tmp_path: Path) -> None:
    folder = finished_run(runs_path)
    writer = AttemptWriter(folder, number=2)
    writer.start(step=200, total_steps=600)
    for step in range(210, 601, 10):
        writer.train(step, 1.0, loss=math.nan if step == 300 else 1e300 if step == 400 else 5.0)
    writer.close()
    html = report_of(folder, tmp_path)
    assert "step 200: resumed" in require_harmless(html).said
    assert "nan" not in html.split("</style>")[1].split("Figures")[0].lower()


def test_a_long_run_makes_a_small_file(tmp_path: Path) -> None:
    series = Series()
    for step in range(100_000):
        series.append(step, math.sin(step / 1000))
    drawn = draw(Picture((Curve(series, "loss", smooth=True),), 100_000.0))
    assert len(drawn) < 40_000
    ElementTree.fromstring(drawn)


def test_the_file_is_there_whole_or_not_at_all(runs_path: Path, tmp_path: Path) -> None:
    folder = finished_run(runs_path, steps=100)
    with pytest.raises(IsADirectoryError):
        write_report(folder, tmp_path)
    with pytest.raises(OSError, match="No such file"):
        write_report(folder, tmp_path / "nowhere" / "run.html")
    target = tmp_path / "reports" / report_name(folder)
    target.parent.mkdir()
    assert write_report(folder, target) == target
    before = target.stat().st_ino
    assert write_report(folder, target).stat().st_ino != before  # replaced, not written over
    assert list(target.parent.iterdir()) == [target]


def labels_of(drawn: str) -> list[str]:
    """What stands at the axis of values, from the bottom up."""
    texts = [node for node in ElementTree.fromstring(drawn).findall("text") if node.get("x") == "46"]
    return [node.text or "" for node in texts if node.get("class") == "end"]


def test_what_spans_decades_is_drawn_in_decades_and_ranks_have_the_first_at_the_top(
    runs_path: Path, tmp_path: Path
) -> None:
    wide, narrow, warmed = Series(), Series(), Series()
    for step in range(101):
        wide.append(step, 10 ** (-2 - step / 25))
        narrow.append(step, 1 + step / 100)
        warmed.append(step, 1e-6 if step == 0 else 1e-3)  # a warm-up alone stretches no axis
    assert [spans_decades(one) for one in (wide, narrow, warmed, Series())] == [True, False, False, False]
    drawn = draw(Picture((Curve(wide, "lr"),), 100.0, is_log=True))
    assert labels_of(drawn) == ["1e-6", "1e-5", "1e-4", "1e-3", "0.01"]
    heights = [float(pair.split()[1]) for pair in re.findall(r'd="M([^"]+)"', drawn)[0].split("L")]
    assert heights[50] == pytest.approx((heights[0] + heights[100]) / 2, abs=2)  # a straight line
    ranks = Series()
    for step, rank in ((0, 4000.0), (50, 40.0), (100, 1.0)):
        ranks.append(step, rank)
    drawn = draw(Picture((Curve(ranks, "states"),), 100.0, is_rank=True))
    assert labels_of(drawn)[0] == "1" and "1k" in labels_of(drawn)
    heights = [float(pair.split()[1]) for pair in re.findall(r'd="M([^"]+)"', drawn)[0].split("L")]
    assert heights[0] > heights[1] > heights[2] == 0
    same = Series()
    same.append(0, 1.0)
    assert labels_of(draw(Picture((Curve(same, "states"),), 100.0, is_rank=True)))[0] == "1"
    page = require_harmless(report_of(finished_run(runs_path), tmp_path))
    assert "the people of the united [MASK]: rank of states" in page.said


def test_shares_near_one_another_have_labels_of_their_own() -> None:
    series = Series()
    series.append(0, 0.20)
    series.append(100, 0.21)
    labels = labels_of(draw(Picture((Curve(series, "accuracy"),), 100.0, share=True)))
    assert len(set(labels)) == len(labels) > 2 and all(label.endswith(" %") for label in labels)
