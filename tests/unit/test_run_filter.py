"""The filter language of the list of runs does what it says, and says what it does not understand."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import pytest

from runs.run_summary import RunSummary
from runs.status import RunStatus
from tui import filter_values
from tui.run_fields import field_named
from tui.run_filter import FilterError, filter_runs, parse_filter
from tui.run_listing import Heading, Listing, listed, listing_of, sort_runs

NOW = time.time()


def row(name: str, best: float | None = None, state: str = "finished", **more: object) -> RunSummary:
    fields: dict[str, Any] = {
        "folder": None, "id": f"20260101-000000-quickstart-{name:a>4}", "name": name, "preset": "quickstart",
        "dataset": "addresses (embedded)", "status": RunStatus(state),  # type: ignore[arg-type]
        "step": 10, "total_steps": 10, "best_loss": best, "best_step": None, "last_loss": best,
        "elapsed_s": 1.0, "created": 0.0, "tags": (), "note": "", "losses": (), "num_bytes": None,
        "root_cause": "", "settings": {},
    }  # fmt: skip
    return RunSummary(**{**fields, **more})


ROWS = (
    row("b", 5.0, preset="v1-imdb-small", settings={"optim.lr": 3e-4}, created=NOW - 3600, elapsed_s=7300.0),
    row("a", 6.5, "failed", tags=("keep", "paper"), note="try again", num_bytes=600_000_000,
        created=NOW - 3 * 86_400),
    row("c", None, "running", figures={"val_accuracy": 0.4}, pinned=True, created=NOW - 40 * 86_400),
)  # fmt: skip


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", "bac"),
        ("state:failed", "a"),
        ("state:failed,running", "ac"),
        ("-state:failed", "bc"),
        ("state:fini", "b"),
        ("state:f*d", "ba"),
        ("NOT state:failed", "bc"),
        ("loss<6", "b"),
        ("loss>=5", "ba"),
        ("loss!=5", "a"),
        ("tag:keep loss<6", ""),
        ("tag:keep OR loss<6", "ba"),
        ("tag:keep OR loss<6 state:running", "a"),
        ("(tag:keep OR loss<6) -state:failed", "b"),
        ("tag=paper", "a"),
        ("tag=pape", ""),
        ("tag:k*p", "a"),
        ("KEEP", "a"),
        ('"try again"', "a"),
        ('note:"try again"', "a"),
        ("has:note", "a"),
        ("-has:note AND step>5", "bc"),
        ("is:pinned", "c"),
        ("is:live", "c"),
        ("preset:v?-imdb*", "b"),
        ("lr<1e-3", "b"),
        ("optim.lr=3e-4", "b"),
        ("optim.lr>1e-4", "bac"),
        ("val_accuracy>30%", ""),
        ("val_accuracy>0.3", "c"),
        ("age<2d", "b"),
        ("age>1mo", "c"),
        ("created:today", "b" if datetime.fromtimestamp(NOW - 3600).date() == datetime.now().date() else ""),
        ("created<2021", ""),
        ("time>2h", "b"),
        ("size>500MB", "a"),
        ("quick step>5", "bac"),
    ],
)  # fmt: skip
def test_a_filter_lets_through_what_it_names(query: str, names: str) -> None:
    assert "".join(one.name for one in filter_runs(ROWS, query)) == names


@pytest.mark.parametrize(
    ("query", "position", "said"),
    [
        ("loss<...", 5, "is no number"),
        ("loss<", 5, "needs something"),
        ("warm nonsense:x", 5, "no field 'nonsense'"),
        ("lss<3", 0, "did you mean loss?"),
        ("(tag:keep", 0, "not closed"),
        ("tag:keep)", 8, "closes nothing"),
        ("()", 1, "missing"),
        ("tag:keep OR", 11, "missing"),
        ("OR tag:keep", 0, "missing"),
        ('tag:"keep', 4, "quote"),
        ("state>failed", 6, "is a text"),
        ("age<soon", 4, "length of time"),
        ("created>then", 8, "is no date"),
        ("created>2026-13-01", 8, "is no date"),
        ("size>many", 5, "is no size"),
        ("is:nice", 3, "none of"),
        ("loss<4 state:finishd", 13, "no state is called 'finishd'; did you mean finished"),
        ("state:failed,xyz", 6, "no state is called 'xyz': there are queued, starting, running"),
        ("has:nothing", 4, "no field"),
        ("NOT", 3, "missing"),
    ],
)
def test_a_wrong_filter_is_explained_where_it_is_wrong(query: str, position: int, said: str) -> None:
    with pytest.raises(FilterError, match=said) as caught:
        parse_filter(query)
    assert caught.value.position == position


def test_a_day_is_all_of_it() -> None:
    low, high = filter_values.moments("2026-11-22")
    assert high - low in (86_400, 82_800, 90_000)  # the clocks may have been changed
    assert filter_values.moments("2026-12")[1] == filter_values.moments("2027-01")[0]
    midday = row("x", created=low + 43_200)
    for query, matches in (
        ("created>2026-11-22", False), ("created>=2026-11-22", True), ("created<=2026-11-22", True),
        ("created:2026-11-22", True), ("created!=2026-11-22", False), ("created>2026-11-21", True),
    ):  # fmt: skip
        assert bool(filter_runs((midday,), query)) is matches, query


def test_a_setting_that_has_not_been_read_matches_nothing() -> None:
    assert filter_runs((row("x", settings=None),), "optim.lr<9 OR -optim.lr<9") == (row("x", settings=None),)
    assert filter_runs((row("x", settings=None),), "optim.lr<9") == ()


@pytest.mark.parametrize(
    ("sort", "descending", "names"),
    [
        ("created", True, "bac"),
        ("created", False, "cab"),
        ("loss", False, "bac"),
        ("best", True, "abc"),
        ("name", False, "abc"),
        ("state", False, "cab"),
        ("optim.lr", False, "bac"),
        ("val_accuracy", True, "cba"),
        ("no such field", False, "cab"),
    ],
)
def test_the_order_is_the_one_that_was_asked_for(sort: str, descending: bool, names: str) -> None:
    found = sort_runs(ROWS, sort, {"val_accuracy"}, descending=descending)
    assert "".join(one.name for one in found) == names


def test_runs_without_the_figure_stand_last_both_ways() -> None:
    for descending in (False, True):
        assert sort_runs(ROWS, "best", descending=descending)[-1].name == "c"


def test_pinned_runs_stand_on_top_and_archived_ones_out_of_sight() -> None:
    rows = (row("new"), row("old", archived=True), row("dear", pinned=True))
    shown = listed(rows, Listing(), {}, ())
    assert [one.name for one in shown.runs] == ["dear", "new"] and shown.num_archived == 1
    everything = listed(rows, Listing(archived=True), {}, ())
    assert [one.name for one in everything.runs] == ["dear", "new", "old"]
    assert [one.name for one in listed(rows, Listing("is:archived"), {}, ()).runs] == ["old"]


def test_groups_have_a_heading_each_and_fold() -> None:
    shown = listed(ROWS, Listing(group="preset"), {}, ())
    titles = [line.title for line in shown.lines if isinstance(line, Heading)]
    assert titles == ["quickstart", "v1-imdb-small"]  # the pinned run's group first
    folded = listed(ROWS, Listing(group="preset", folded=frozenset({"preset:quickstart"})), {}, ())
    assert len(folded.lines) == 3 and len(folded.runs) == 3
    by_tag = listed(ROWS, Listing(group="tag"), {}, ())
    assert [line.title for line in by_tag.lines if isinstance(line, Heading)] == ["keep paper", "(no tag)"]


def test_a_wrong_filter_leaves_the_list_as_it_was() -> None:
    understood = parse_filter("state:failed")
    shown = listed(ROWS, Listing("state:failed los<"), {}, (), understood)
    assert [one.name for one in shown.runs] == ["a"] and shown.error is not None


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"filter": 3, "sort": [], "columns": "x", "group": "nonsense", "folded": {"a": 1}, "archived": "yes"},
        {"columns": [1, None, "name"], "sort": "", "descending": None, "filter": "x" * 100_000},
    ],
)
def test_what_was_remembered_may_be_anything(values: dict[str, Any]) -> None:
    listing = listing_of(values)
    assert listing.sort == "created" and listing.group == "" and not listing.archived
    assert set(listing.columns) <= {"name"} and len(listing.query) <= 2000


def test_an_arrangement_comes_back() -> None:
    wanted = Listing("loss<3", "optim.lr", False, ("name", "optim.lr"), "preset", frozenset({"preset:x"}), True)
    assert listing_of(wanted.remembered()) == wanted


def test_names_of_fields_are_forgiving() -> None:
    assert [field.key for name in ("loss", "TAGS", "lr", "optim.LR") if (field := field_named(name))] == [
        "best", "tag", "optim.lr", "optim.lr"
    ]  # fmt: skip
    assert field_named("seed") is None  # train.seed or probes.seed: nobody can tell
    metric = field_named("metric.loss", {"loss"})
    assert metric is not None and metric.value(row("x", figures={"loss": 2.5})) == 2.5


@pytest.mark.parametrize(
    ("listing", "num_unread"),
    [
        (Listing(), 0),
        (Listing("state:finished otter data:addresses -tag:keep"), 0),
        (Listing("-optim.lr>1e-3"), 2),
        (Listing("has:val_accuracy"), 2),
        (Listing("size<1GB"), 2),
        (Listing(sort="lr"), 2),
        (Listing(sort="best"), 0),
    ],
)
def test_a_list_says_of_how_many_runs_it_does_not_know_yet_what_it_asks_for(
    listing: Listing, num_unread: int
) -> None:
    rows = (*ROWS, row("d", settings=None), row("e", settings=None))
    assert listed(rows, listing, {}, {"val_accuracy"}).num_unread == num_unread
