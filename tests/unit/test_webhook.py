"""The webhook: what is posted, when it is tried again, and that its address stays a secret."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from presets.schema import RunConfig
from runs.folder import RunFolder, create_run
from runs.launch_record import kept_environment
from runs.notify_settings import WEBHOOK_VARIABLE, address_problem, notify_settings
from runs.queue_entry import kept_environment as kept_in_the_queue
from runs.status import Outcome
from runs.webhook import Notice, Teller, alert_notice, end_notice, payload, send
from tests.fakes.webhook import Hook, listening

FINISHED = Outcome(
    "finished", "all steps done", 20, 20, best_loss=5.25, best_step=18, last_loss=5.5, elapsed_s=3.5
)


@pytest.fixture
def hook() -> Iterator[Hook]:
    with listening() as server:
        yield server


@pytest.fixture
def folder(runs_path: Path) -> RunFolder:
    return create_run(runs_path, RunConfig(), name="warm-otter")


def test_an_end_is_told_with_its_figures_in_the_words_of_slack_and_discord(hook: Hook, folder: RunFolder) -> None:
    assert send(hook.address, end_notice(folder, FINISHED)) == ""
    (body,) = hook.bodies
    assert (body["event"], body["run"], body["id"]) == ("finished", "warm-otter", folder.id)
    assert (body["step"], body["best_loss"], body["best_step"]) == (20, 5.25, 18)
    assert body["text"] == body["content"] == "✓ warm-otter finished at step 20 of 20, best validation loss 5.25"


def test_no_name_of_a_run_calls_everybody(folder: RunFolder) -> None:
    hostile = Notice(event="alert", run="x", id=folder.id, message="<!channel> @everyone \x1b[2J & co")
    body = json.loads(payload(hostile))
    assert body["text"] == "! &lt;!channel&gt; @everyone  [2J &amp; co"
    assert body["allowed_mentions"] == {"parse": []}


def test_a_server_in_trouble_is_asked_again_and_one_that_refuses_is_not(hook: Hook, folder: RunFolder) -> None:
    notice = end_notice(folder, FINISHED)
    hook.answers = [503, 429]
    assert send(hook.address, notice, (0, 0, 0)) == ""
    assert len(hook.bodies) == 3
    hook.answers = [404]
    assert send(hook.address, notice, (0, 0, 0)) == "it answered 404 Not Found"
    assert len(hook.bodies) == 4


def test_a_redirect_is_not_followed(hook: Hook, folder: RunFolder) -> None:
    hook.answers = [302]
    assert send(hook.address, end_notice(folder, FINISHED), (0,)).startswith("it answered 302")
    assert hook.paths == ["/hook/s3cret"]


def test_a_failure_never_says_the_address(folder: RunFolder) -> None:
    notice = end_notice(folder, FINISHED)
    for address in ("http://127.0.0.1:9/s3cret", "http://s3cret.invalid:1/x", "https://[s3cret", "ftp://s3cret"):
        failure = send(address, notice, (0,))
        assert failure and "s3cret" not in failure
        assert "s3cret" not in address_problem(address)


def test_a_teller_tells_bad_news_once_and_no_stop_that_was_asked_for(
    hook: Hook, folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(WEBHOOK_VARIABLE, hook.address)
    said: list[str] = []
    teller = Teller(folder, said.append)
    for step in (5, 6):
        teller.heed({"kind": "health", "symptom": "spike", "message": "the loss jumped", "step": step})
    teller.heed({"kind": "health", "symptom": "plateau", "message": "the loss stands still", "step": 9})
    teller.heed({"kind": "disk", "is_full": True, "message": "the disk is full"})
    teller.heed({"kind": "disk", "is_full": False, "message": "there is room again"})
    teller.heed({"kind": "evaluated", "message": "no news"})
    teller.ended(Outcome("stopped", "stopped", 9, 20), was_asked=True)
    teller.ended(Outcome("failed", "out of memory", 9, 20), was_asked=True)
    teller.finish()
    assert [(body["event"], body.get("symptom"), body.get("step")) for body in hook.bodies] == [
        ("alert", "spike", 5), ("alert", "plateau", 9), ("alert", "disk", None), ("failed", None, 9),
    ]  # fmt: skip
    assert hook.bodies[3]["message"] == "warm-otter failed at step 9 of 20: out of memory"
    assert not said


def test_a_webhook_that_cannot_be_told_is_said_once(
    hook: Hook, folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(WEBHOOK_VARIABLE, hook.address)
    hook.answers = [403, 403]
    said: list[str] = []
    teller = Teller(folder, said.append)
    teller.alert("spike", "the loss jumped")
    teller.alert("plateau", "the loss stands still")
    teller.finish()
    assert len(hook.bodies) == 2
    assert said == ["the webhook was not told that warm-otter: the loss jumped: it answered 403 Forbidden"]
    assert teller.failure == "it answered 403 Forbidden"


def test_without_an_address_nothing_is_begun(folder: RunFolder) -> None:
    teller = Teller(folder, lambda _: None)
    teller.ended(FINISHED, was_asked=False)
    assert teller._thread is None


def test_the_address_is_kept_in_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WEBHOOK_VARIABLE, "https://hooks.example/s3cret")
    assert WEBHOOK_VARIABLE not in kept_environment(os.environ)
    assert WEBHOOK_VARIABLE not in kept_in_the_queue(os.environ)


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"webhook": 3}, "notify.webhook: this is an address, in quotes"),
        ({"webhook": "hooks.example"}, "notify.webhook: this is no address that begins with https:// or http://"),
        ({"bell": "yes"}, "notify.bell: this is true or false"),
        ({"belll": True}, "notify.belll: there is no such setting"),
    ],
)
def test_what_is_wrong_in_the_notify_table_is_said(table: dict[str, Any], problem: str) -> None:
    settings, problems = notify_settings({"notify": table})
    assert problems == [problem]
    assert settings.webhook == "" and settings.bell


def test_an_alert_names_the_run(folder: RunFolder) -> None:
    notice = alert_notice(folder, "stall", "no step for 40 s")
    assert notice.message == "warm-otter: no step for 40 s"
