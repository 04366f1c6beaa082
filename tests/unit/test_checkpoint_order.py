"""Which checkpoint is meant, which may stand in, and which are dropped."""

from __future__ import annotations

from engine.checkpoint_files import Manifest
from engine.checkpoint_order import dropped, meant, stand_ins


def name(step: int) -> str:
    return f"step-{step:08d}"


def saved(*steps: int, best: int = 0) -> dict[str, Manifest]:
    """Checkpoints in the order in which they were saved."""
    return {
        name(step): Manifest(step, "", 0.0, {}, serial, step == best, "x") for serial, step in enumerate(steps, 1)
    }


def test_last_is_the_one_that_was_saved_last_not_the_highest_step() -> None:
    there = saved(10, 20, 30, 15, best=20)
    assert meant("last", name(15), there, there) == name(15)
    assert meant("last", "", there, there) == meant("last", "garbage", there, there) == name(15)
    assert meant("last", name(30), there, there) == name(15), "an altered pointer misleads nobody"
    assert meant("best", name(20), there, there) == meant("best", name(30), there, there) == name(20)


def test_a_pointer_to_what_is_damaged_or_gone_is_believed() -> None:
    there = saved(10, 20)
    names = [*there, name(30)]
    assert meant("last", name(30), names, there) == name(30)
    assert meant("best", name(40), names, there) == name(40)


def test_without_checkpoints_there_is_none() -> None:
    assert meant("last", "", [], {}) == meant("best", "", [name(1)], saved(1)) == ""
    assert meant("last", "", [name(1), name(2)], {}) == name(2)


def test_the_newest_of_earlier_steps_stands_in_first() -> None:
    there = saved(10, 20, 30, 15, 25)
    assert stand_ins(name(25), there, there) == [name(15), name(20), name(10), name(30)]
    assert stand_ins(name(10), [name(10), name(20)], {}) == [name(20)]


def test_the_newest_sound_ones_and_the_pinned_stay() -> None:
    there = saved(1, 2, 3, 4, 5)
    assert dropped(there, there, (), [name(1)], 2) == [name(2), name(3)]
    assert dropped(there, there, [name(5)], [], 2) == [name(1), name(2), name(5)]
    assert dropped(there, there, [], [], 1) == [name(1), name(2), name(3)], "at least two are kept"
    assert dropped(there, there, [name(3), name(4), name(5)], [], 3) == [], "too few sound ones to drop any"


def test_one_whose_manifest_is_damaged_does_not_count() -> None:
    there = saved(1, 2, 3)
    names = [*there, name(4)]
    assert dropped(names, there, (), [], 2) == [name(1), name(4)]
    assert dropped(names, there, (), [], 4) == []
