"""The reader shows what a run's files say, whatever state they are in."""

import os
from pathlib import Path

import msgspec
import pytest

from runs.console import tail_console
from runs.events import ControlAnswered
from runs.reader import RunReader
from tests.run_writer import AttemptWriter, Supervision, finished_run, new_run
from tui.charts.spec import Mark
from tui.run_charts import marks_of


def settled(reader: RunReader):  # type: ignore[no-untyped-def]
    snapshot = reader.poll()
    while snapshot.is_behind:
        snapshot = reader.poll()
    return snapshot


def test_a_finished_run_is_read_whole(tmp_path: Path) -> None:
    folder = finished_run(tmp_path, steps=400)
    snapshot = settled(RunReader(folder))
    assert (snapshot.step, snapshot.total_steps, snapshot.status.state) == (400, 400, "finished")
    assert len(snapshot.series["loss"]) == 40
    assert list(snapshot.series["val_loss"].step) == [0, 100, 200, 300, 400]
    assert snapshot.best_loss == min(snapshot.series["val_loss"].value)
    assert snapshot.baselines is not None and snapshot.baselines.unigram_loss == 6.54
    assert [probed.step for probed in snapshot.probes] == [0, 100, 200, 300, 400]
    assert snapshot.eta_s is None
    assert snapshot.num_skipped == 0


def test_nothing_new_gives_the_same_snapshot(tmp_path: Path) -> None:
    reader = RunReader(finished_run(tmp_path))
    assert settled(reader) is reader.poll()


def test_a_growing_run_is_followed_and_gets_an_eta(tmp_path: Path) -> None:
    folder = new_run(tmp_path)
    supervision = Supervision(folder)
    supervision.state("running")
    reader = RunReader(folder)
    assert reader.poll().status.state == "running"
    writer = AttemptWriter(folder)
    writer.progress("tokenising", 10, 100)
    phase = reader.poll().phase
    assert phase is not None and (phase.done, phase.total) == (10, 100)
    writer.start()
    assert reader.poll().phase is None
    writer.run_to(50, seconds_per_step=0.2)
    assert reader.poll().eta_s is None
    writer.run_to(90, seconds_per_step=0.2)
    snapshot = reader.poll()
    assert snapshot.eta_s == pytest.approx((1200 - 90) * 0.2)
    assert snapshot.last_loss == snapshot.series["loss"].value[-1]
    writer.close()
    supervision.close()


def test_a_resume_hides_what_came_after_its_step_and_deletes_nothing(tmp_path: Path) -> None:
    folder = new_run(tmp_path)
    first = AttemptWriter(folder)
    first.start()
    first.evaluate(8.0)
    first.run_to(200)
    first.run_to(290)
    first.train(300, 1.0, loss=1.0)
    first.evaluate(1.0)
    first.probe()
    first.close()
    before = first.attempt.metrics_file.read_bytes()
    reader = RunReader(folder)
    assert settled(reader).best_step == 300

    second = AttemptWriter(folder, 2, clock=first.clock - 5000)  # a clock that jumped back changes nothing
    snapshot = reader.poll()
    assert snapshot.step == 300
    second.start(step=200)
    second.train(210, 2.0, loss=5.5)
    snapshot = settled(reader)
    assert list(snapshot.series["loss"].step)[-2:] == [200, 210]
    assert snapshot.series["loss"].value[-1] == 5.5
    assert snapshot.best_step != 300
    assert [probed.step for probed in snapshot.probes][-1] == 200
    assert snapshot.splices == (200,)
    assert snapshot.step == 210
    assert snapshot.elapsed_s == pytest.approx(first.clock - first.began + 2.0)
    second.close()
    assert first.attempt.metrics_file.read_bytes() == before
    fresh = settled(RunReader(folder))
    assert list(fresh.series["loss"].value) == list(snapshot.series["loss"].value)


def answered(step: int, verb: str, value: str = "", total_steps: int = 1200) -> ControlAnswered:
    return ControlAnswered(
        step=step, request=f"{step}-{verb}", verb=verb, accepted=True, message="done", value=value,
        total_steps=total_steps,
    )  # fmt: skip


def test_what_was_asked_of_a_run_is_marked_until_a_resume_from_before_hides_it(tmp_path: Path) -> None:
    folder = new_run(tmp_path)
    first = AttemptWriter(folder)
    first.start()
    first.run_to(100)
    first.say(answered(100, "lr", "x0.5"))
    refused = msgspec.structs.replace(answered(100, "lr", "x9"), accepted=False)
    first.say(refused)
    first.run_to(200)
    first.say(answered(200, "steps", "+800", total_steps=2000))
    first.say(answered(200, "pause", total_steps=2000))
    first.close()
    snapshot = settled(RunReader(folder))
    assert [(one.step, one.verb) for one in snapshot.controls] == [(100, "lr"), (200, "steps"), (200, "pause")]
    assert snapshot.total_steps == 2000 and snapshot.learning_rate == snapshot.series["lr"].last()
    assert marks_of(snapshot) == (Mark(100, "lr ×0.5"), Mark(200, "+800 steps, paused"))

    second = AttemptWriter(folder, 2)
    second.start(step=200, total_steps=2000)
    snapshot = settled(RunReader(folder))
    assert marks_of(snapshot)[-1] == Mark(200, "+800 steps, paused, resumed")
    second.close()
    third = AttemptWriter(folder, 3)
    third.start(step=150, total_steps=1200)
    snapshot = settled(RunReader(folder))
    assert marks_of(snapshot) == (Mark(100, "lr ×0.5"), Mark(150, "resumed"))
    assert snapshot.total_steps == 1200
    third.close()


def test_an_attempt_whose_start_was_lost_is_placed_by_its_first_record(tmp_path: Path) -> None:
    folder = new_run(tmp_path)
    first = AttemptWriter(folder)
    first.start()
    first.run_to(300)
    first.close()
    second = AttemptWriter(folder, 2)
    second.train(201, 1.0, loss=5.0)
    second.close()
    snapshot = settled(RunReader(folder))
    assert snapshot.splices == (200,)
    assert list(snapshot.series["loss"].step)[-2:] == [200, 201]


def test_a_torn_line_is_skipped_and_counted(tmp_path: Path) -> None:
    folder = finished_run(tmp_path)
    attempt = folder.attempt(1)
    lines = attempt.metrics_file.read_bytes().splitlines(keepends=True)
    lines[5] = lines[5][:40] + b"\n"
    attempt.metrics_file.write_bytes(b"".join(lines))
    snapshot = settled(RunReader(folder))
    assert snapshot.num_skipped == 1
    assert snapshot.step == 400


def test_a_record_that_goes_back_in_steps_is_counted_and_left_out(tmp_path: Path) -> None:
    folder = new_run(tmp_path)
    writer = AttemptWriter(folder)
    writer.start()
    writer.train(10, 1.0)
    writer.train(20, 1.0)
    writer.train(10, 1.0)
    writer.close()
    snapshot = settled(RunReader(folder))
    assert snapshot.num_skipped == 1
    assert list(snapshot.series["loss"].step) == [10, 20]


def test_a_loss_that_is_not_finite_is_a_gap(tmp_path: Path) -> None:
    folder = new_run(tmp_path)
    writer = AttemptWriter(folder)
    writer.start()
    writer.train(10, 1.0)
    writer.train(20, 1.0, loss=float("nan"))
    writer.close()
    loss = settled(RunReader(folder)).series["loss"]
    assert (len(loss), loss.num_gaps) == (2, 1)


def test_a_failed_run_brings_its_root_cause(tmp_path: Path) -> None:
    folder = new_run(tmp_path)
    writer = AttemptWriter(folder)
    writer.start()
    writer.run_to(50)
    writer.fail("OutOfMemoryError", "CUDA out of memory", rank=3, hint="lower train.batch_size")
    snapshot = settled(RunReader(folder))
    assert snapshot.status.state == "failed"
    assert snapshot.error is not None
    assert (snapshot.error.rank, snapshot.error.hint) == (3, "lower train.batch_size")


def test_a_damaged_config_hides_no_curve(tmp_path: Path) -> None:
    folder = finished_run(tmp_path)
    folder.config_file.write_text("not toml [", encoding="utf-8")
    snapshot = settled(RunReader(folder))
    assert snapshot.config is None
    assert len(snapshot.series["loss"]) == 40


def test_a_changed_name_is_seen(tmp_path: Path) -> None:
    folder = finished_run(tmp_path)
    reader = RunReader(folder)
    assert settled(reader).about.name == "warm-otter"
    about = folder.about()
    folder.write_about(type(about)(name="other", preset=about.preset, note="good", created=about.created))
    assert reader.poll().about.name == "other"


def test_the_console_tail_keeps_the_last_state_of_a_progress_bar(tmp_path: Path) -> None:
    attempt = AttemptWriter(new_run(tmp_path))
    attempt.console.write("first\n 10%\r 20%\r 100%\nlast")
    attempt.close()
    assert tail_console(attempt.attempt, 10) == ("first", " 100%", "last")
    assert tail_console(attempt.attempt, 1) == ("last",)


def test_the_console_tail_reads_only_the_end_of_a_large_file(tmp_path: Path) -> None:
    attempt = AttemptWriter(new_run(tmp_path))
    attempt.console.truncate(1 << 40)  # nobody reads as much
    attempt.console.seek(0, 2)
    attempt.console.write("".join(f"line {number}\n" for number in range(200_000)))
    attempt.close()
    assert tail_console(attempt.attempt, 2) == ("line 199998", "line 199999")
    lines = tail_console(attempt.attempt, 100_000)
    assert len(lines) == 100_000 and lines[0] == "line 100000", "as many as were asked for"


def test_lines_of_several_ranks_say_whose_they_are(tmp_path: Path) -> None:
    attempt = AttemptWriter(new_run(tmp_path))
    attempt.close()
    for rank in (0, 1):
        file = attempt.attempt.ranks_dir / "none_abc" / "attempt_0" / str(rank) / "stderr.log"
        file.parent.mkdir(parents=True)
        file.write_text(f"hello from {rank}\n", encoding="utf-8")
        os.utime(file, (1000 + rank, 1000 + rank))
    assert tail_console(attempt.attempt, 10) == ("rank 0: hello from 0", "rank 1: hello from 1")
