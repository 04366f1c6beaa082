"""Masks: how many, where, what stands in their place, and that they follow from the sample alone."""

from __future__ import annotations

import torch

from engine.data.hashing import position_keys, sample_keys, scalar_seed
from engine.data.masking import IGNORED, apply_masks, mask_rate_at, masked_positions, num_masks
from engine.data.tokenizers import CLS, MASK, PAD, SEP
from presets.schema import ObjectiveConfig

VOCAB, LENGTH = 1000, 64
GOLDEN_POSITIONS = [
    [26, 29, 40, 25, 3, 52, 27, 32, 21],
    [40, 20, 11, 1, 41, 17, 21, 0, 0],
    [3, 1, 0, 0, 0, 0, 0, 0, 0],
]
GOLDEN_INPUTS = 57_479  # sum of the ids after masking


def rows(lengths: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    tokens = torch.full((len(lengths), LENGTH), PAD)
    for row, length in enumerate(lengths):
        tokens[row, :length] = torch.arange(length) + 500
        tokens[row, 0], tokens[row, length - 1] = CLS, SEP
    return tokens, torch.tensor(lengths)


def keys(count: int, seed: int = 0, epoch: int = 0) -> torch.Tensor:
    return sample_keys(seed, torch.full((count,), epoch), torch.arange(count))


def test_each_row_has_its_share_of_masks_and_every_batch_one_width() -> None:
    _, lengths = rows([64, 32, 10, 3])
    chosen = masked_positions(lengths, keys(4), LENGTH, 0.15)
    assert chosen.shape == (4, round(62 * 0.15))
    assert (chosen >= 0).sum(1).tolist() == [9, 4, 1, 1] == num_masks(lengths, 0.15).tolist()


def test_specials_and_padding_are_never_chosen_and_no_position_twice() -> None:
    _, lengths = rows([64, 40, 12, 3] * 50)
    chosen = masked_positions(lengths, keys(200), LENGTH, 0.3)
    for row, length in zip(chosen.tolist(), lengths.tolist(), strict=True):
        real = [position for position in row if position >= 0]
        assert len(set(real)) == len(real)
        assert all(1 <= position < length - 1 for position in real)


def test_every_position_is_chosen_equally_often() -> None:
    _, lengths = rows([LENGTH] * 20_000)
    chosen = masked_positions(lengths, keys(20_000), LENGTH, 0.15)
    counts = torch.bincount(chosen.flatten(), minlength=LENGTH)[1 : LENGTH - 1].double()
    expected = counts.mean()
    assert ((counts - expected).abs() < 5 * expected.sqrt()).all()


def test_the_replacements_are_80_10_10() -> None:
    tokens, lengths = rows([LENGTH] * 4000)
    batch = apply_masks(tokens, lengths, keys(4000), VOCAB, ObjectiveConfig(), 0.15, False)
    new = batch.inputs.gather(1, batch.positions)
    old = tokens.gather(1, batch.positions)
    is_mask, is_same = (new == MASK).double().mean(), (new == old).double().mean()
    is_random = 1 - is_mask - is_same
    assert abs(is_mask - 0.8) < 0.01
    assert abs(is_random - 0.1) < 0.01
    assert abs(is_same - 0.1) < 0.01


def test_random_words_come_from_the_whole_vocabulary_and_are_never_special() -> None:
    tokens, lengths = rows([LENGTH] * 20_000)
    always_random = ObjectiveConfig(mask_token_share=0.0, random_token_share=1.0)
    batch = apply_masks(tokens, lengths, keys(20_000), VOCAB, always_random, 0.15, False)
    words = batch.inputs.gather(1, batch.positions)
    assert int(words.min()) == 5
    assert int(words.max()) == VOCAB - 1


def test_only_chosen_positions_change_and_targets_are_the_originals() -> None:
    tokens, lengths = rows([64, 20, 5])
    batch = apply_masks(tokens, lengths, keys(3), VOCAB, ObjectiveConfig(), 0.15, True)
    is_target = batch.targets != IGNORED
    for row in range(3):
        chosen = set(batch.positions[row][is_target[row]].tolist())
        changed = set((batch.inputs[row] != tokens[row]).nonzero().flatten().tolist())
        assert changed <= chosen
        assert tokens[row, sorted(chosen)].sort().values.equal(batch.targets[row][is_target[row]].sort().values)
    assert batch.is_padded


def test_masks_follow_from_seed_epoch_and_sample_not_from_the_batch_they_stand_in() -> None:
    tokens, lengths = rows([LENGTH] * 8)
    together = apply_masks(tokens, lengths, keys(8), VOCAB, ObjectiveConfig(), 0.15, False)
    torch.manual_seed(12345)
    alone = apply_masks(tokens[5:6], lengths[5:6], keys(8)[5:6], VOCAB, ObjectiveConfig(), 0.15, False)
    assert torch.equal(together.inputs[5:6], alone.inputs)
    other_epoch = apply_masks(tokens, lengths, keys(8, epoch=1), VOCAB, ObjectiveConfig(), 0.15, False)
    other_seed = apply_masks(tokens, lengths, keys(8, seed=1), VOCAB, ObjectiveConfig(), 0.15, False)
    assert not torch.equal(together.inputs, other_epoch.inputs)
    assert not torch.equal(together.inputs, other_seed.inputs)


def test_keys_are_not_negative_and_streams_are_unrelated() -> None:
    first, second = (position_keys(keys(1000), 32, stream).flatten() for stream in (1, 2))
    assert int(first.min()) >= 0
    assert abs(float(torch.corrcoef(torch.stack([first, second]).double())[0, 1])) < 0.03
    assert scalar_seed(1, 2) != scalar_seed(2, 1)


def of_words(sizes: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Rows whose words have these numbers of tokens: tokens, lengths, and where words begin."""
    tokens, lengths = rows([sum(row) + 2 for row in sizes])
    starts = torch.zeros_like(tokens, dtype=torch.bool)
    for row, words in enumerate(sizes):
        place = 1
        for size in words:
            starts[row, place] = True
            place += size
    return tokens, lengths, starts


def test_whole_words_are_hidden_whole_but_for_the_last_one_that_is_cut_to_its_first_pieces() -> None:
    sizes = [[1, 3, 2, 5, 1, 1, 4, 2, 3, 6, 2, 2, 8, 1, 9, 12]] * 300
    _, lengths, starts = of_words(sizes)
    chosen = masked_positions(lengths, keys(300), LENGTH, 0.3, starts)
    assert (chosen >= 0).sum(1).tolist() == num_masks(lengths, 0.3).tolist()
    num_cut = 0
    for row in chosen.tolist():
        places = set(row)
        assert len(places) == len(row)
        cut = 0
        first = 1
        for size in sizes[0]:
            word = set(range(first, first + size))
            taken = word & places
            if taken and taken != word:
                cut += 1
                assert taken == set(range(first, first + len(taken))), "the first pieces of the cut word"
            first += size
        assert cut <= 1
        num_cut += cut
    assert 0 < num_cut < 300


def test_whole_words_leave_specials_and_padding_alone_and_every_word_has_its_turn() -> None:
    _, lengths, starts = of_words([[2] * 10, [3] * 15] * 2000)
    chosen = masked_positions(lengths, keys(4000), LENGTH, 0.2, starts)
    for row, length in zip(chosen[:50].tolist(), lengths.tolist(), strict=False):
        assert all(1 <= position < length - 1 for position in row if position >= 0)
    counts = torch.bincount(chosen[::2][chosen[::2] >= 0], minlength=LENGTH)[1:21].double()
    assert ((counts - counts.mean()).abs() < 5 * counts.mean().sqrt()).all()


def test_the_rest_of_a_word_that_was_cut_at_the_row_before_is_a_word() -> None:
    _, lengths, starts = of_words([[6, 4]])
    starts[0, 1] = False
    chosen = masked_positions(lengths.repeat(64), keys(64), LENGTH, 0.6, starts.expand(64, -1))
    assert {tuple(sorted(row))[1:] for row in chosen[:, :6].tolist()} == {(2, 3, 4, 5, 6), (2, 7, 8, 9, 10)}


def test_whole_words_follow_from_the_sample_alone_and_differ_from_epoch_to_epoch() -> None:
    starts_word = torch.arange(VOCAB) % 3 == 0
    tokens, lengths = rows([LENGTH] * 8)

    def hidden(part: slice, epoch: int = 0) -> torch.Tensor:
        own = keys(8, epoch=epoch)[part]
        batch = apply_masks(
            tokens[part], lengths[part], own, VOCAB, ObjectiveConfig(), 0.3, False, starts_word=starts_word
        )
        return batch.inputs

    assert torch.equal(hidden(slice(0, 8))[5:6], hidden(slice(5, 6)))
    assert not torch.equal(hidden(slice(0, 8)), hidden(slice(0, 8), epoch=1))
    single = apply_masks(tokens, lengths, keys(8), VOCAB, ObjectiveConfig(), 0.3, False)
    assert not torch.equal(hidden(slice(0, 8)), single.inputs)


def test_the_rate_goes_in_a_straight_line_and_each_row_has_its_number_on_the_way() -> None:
    assert mask_rate_at(ObjectiveConfig(mask_rate=0.4), 0.7) == 0.4
    falling = ObjectiveConfig(mask_rate=0.4, mask_rate_end=0.1)
    assert [round(mask_rate_at(falling, share), 6) for share in (0.0, 0.5, 1.0)] == [0.4, 0.25, 0.1]
    tokens, lengths = rows([64, 30])
    widths = set()
    for share in range(11):
        rate = mask_rate_at(falling, share / 10)
        batch = apply_masks(tokens, lengths, keys(2), VOCAB, falling, rate, True)
        assert (batch.targets != IGNORED).sum(1).tolist() == num_masks(lengths, rate).tolist()
        widths.add(batch.targets.shape[1])
    assert widths == {8, 16, 24, 32}, "a compiled step sees few shapes"


def test_the_frozen_masks_are_what_they_always_were() -> None:
    tokens, lengths = rows([64, 50, 17])
    frozen = sample_keys(scalar_seed(0x5EED), torch.zeros(3, dtype=torch.int64), torch.tensor([0, 7, 123_456]))
    batch = apply_masks(tokens, lengths, frozen, VOCAB, ObjectiveConfig(), 0.15, True)
    assert batch.positions.tolist() == GOLDEN_POSITIONS
    assert int(batch.inputs.sum()) == GOLDEN_INPUTS
