"""Synthetic grammars: what their sentences are, and their exact floor against counting every possibility."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable

import msgspec
import pytest
import torch
from torch import Tensor

from engine.data.documents import DataError
from engine.data.hashing import sample_keys
from engine.data.masking import IGNORED
from engine.data.synthetic import exact_losses, grammar, open_grammar
from engine.data.synthetic.arithmetic import arithmetic_grammar
from engine.data.synthetic.automaton import Automaton, draw
from engine.data.synthetic.chains import markov_grammar, random_grammar, stationary, transition_table
from engine.data.synthetic.posterior import HIDDEN, hidden_losses
from engine.data.synthetic.templates import read_slots, template_grammar
from engine.data.tokenizers import CLS, MASK, PAD, SEP
from presets.grammars import ARITHMETIC_LEVELS, GRAMMARS, MARKOV_WORDS, ArithmeticShape, MarkovShape, grammar_facts
from presets.schema import DataConfig
from tests.grammar_reference import CLASSES, SMALL, chain_probability, is_true, template_probability


def settings(name: str, **changes: object) -> DataConfig:
    plain = DataConfig(source="synthetic", dataset=name, tokenizer="word", min_words=1, deduplicate=False)
    return msgspec.structs.replace(plain, **changes)


def all_settings() -> list[DataConfig]:
    levels = [settings(name, difficulty=level, vocab_size=205) for name in GRAMMARS for level in range(1, 6)]
    return levels + [settings("markov", difficulty=2, markov_order=order) for order in (2, 3)]


def sentences(automaton: Automaton, count: int, seed: int = 0) -> list[tuple[int, ...]]:
    indices = torch.arange(count)
    return [tuple(row) for row in draw(automaton, sample_keys(seed, torch.zeros_like(indices), indices))]


def spelled(automaton: Automaton, sentence: tuple[int, ...]) -> str:
    return " ".join(automaton.words[word] for word in sentence)


def brute_force(
    automaton: Automaton,
    sentence: tuple[int, ...],
    hidden: tuple[int, ...],
    probability: Callable[[tuple[int, ...]], float],
) -> list[float]:
    """−ln P(word | the rest) for each hidden place, summing over everything that could stand there."""
    totals = dict.fromkeys(hidden, 0.0)
    everything = 0.0
    for guess in itertools.product(range(len(automaton.words)), repeat=len(hidden)):
        words = list(sentence)
        for place, word in zip(hidden, guess, strict=True):
            words[place] = word
        chance = probability(tuple(words))
        everything += chance
        for place in hidden:
            totals[place] += chance * (words[place] == sentence[place])
    return [-math.log(totals[place] / everything) for place in hidden]


def computed(automaton: Automaton, sentence: tuple[int, ...], hidden: tuple[int, ...]) -> list[float]:
    seen, targets = torch.tensor([sentence]), torch.full((1, len(sentence)), HIDDEN)
    for place in hidden:
        seen[0, place], targets[0, place] = HIDDEN, sentence[place]
    losses = hidden_losses(automaton, seen, targets)
    return [float(losses[0, place]) for place in hidden]


def agree(automaton: Automaton, probability: Callable[[tuple[int, ...]], float], widths: tuple[int, ...]) -> None:
    """On a few sentences with one, two, … words hidden here and there."""
    for number, sentence in enumerate(sentences(automaton, 3)):
        generator = torch.Generator().manual_seed(number)
        for width in widths:
            hidden = tuple(sorted(torch.randperm(len(sentence), generator=generator)[:width].tolist()))
            expected = brute_force(automaton, sentence, hidden, probability)
            assert computed(automaton, sentence, hidden) == pytest.approx(expected, abs=1e-9), (sentence, hidden)


@pytest.mark.parametrize("level", range(1, 6))
def test_the_floor_of_template_sentences_is_that_of_counting_every_possibility(level: int) -> None:
    automaton = template_grammar(SMALL, level)
    agree(automaton, lambda words: template_probability(spelled(automaton, words), level), widths=(1, 2, 3))


@pytest.mark.parametrize("order", [1, 2, 3])
def test_the_floor_of_a_markov_chain_is_that_of_counting_every_possibility(order: int) -> None:
    shape = MarkovShape(num_words=3, concentration=0.5)
    automaton = markov_grammar(shape, order, seed=7, length=6)
    table = transition_table(shape, order, 7)
    start = stationary(table)
    agree(automaton, lambda words: chain_probability(words, start, table), widths=(1, 3, 5))


@pytest.mark.parametrize("shape", [*ARITHMETIC_LEVELS, ArithmeticShape(terms=2, digits=1, operators=("+", "-"))])
def test_the_floor_of_arithmetic_is_that_of_counting_every_true_sentence(shape: ArithmeticShape) -> None:
    automaton = arithmetic_grammar(shape)
    agree(automaton, lambda words: float(is_true(spelled(automaton, words), shape)), widths=(1, 2, 3))


def test_every_true_sentence_of_arithmetic_is_equally_likely_and_no_false_one_comes() -> None:
    shape = ArithmeticShape(terms=2, digits=1, operators=("+", "-"))
    automaton = arithmetic_grammar(shape)
    drawn = Counter(spelled(automaton, sentence) for sentence in sentences(automaton, 20_000))
    true = [f"{a} {sign} {b} = {' '.join(str(c))}" for a in range(1, 10) for b in range(1, 10)
            for sign, c in (("+", a + b), ("-", a - b)) if c >= 0]  # fmt: skip
    assert set(drawn) == set(true)
    expected = 20_000 / len(true)
    chi_squared = sum((drawn[text] - expected) ** 2 / expected for text in true)
    assert abs(chi_squared - (len(true) - 1)) < 5 * math.sqrt(2 * len(true)), (
        "5 standard deviations of chi-squared"
    )


@pytest.mark.parametrize("shape", ARITHMETIC_LEVELS)
def test_sentences_of_arithmetic_are_true(shape: ArithmeticShape) -> None:
    automaton = arithmetic_grammar(shape)
    assert all(is_true(spelled(automaton, sentence), shape) for sentence in sentences(automaton, 500))


@pytest.mark.parametrize("level", range(1, 6))
def test_template_sentences_come_as_often_as_the_grammar_says(level: int) -> None:
    automaton = template_grammar(SMALL, level)
    drawn = Counter(spelled(automaton, sentence) for sentence in sentences(automaton, 20_000))
    surprise = -sum(count * math.log(template_probability(text, level)) for text, count in drawn.items()) / 20_000
    assert sum(template_probability(text, level) for text in drawn) <= 1 + 1e-9
    assert surprise == pytest.approx(_sentence_entropy(level), abs=0.05)
    for text, count in drawn.most_common(5):
        expected = 20_000 * template_probability(text, level)
        assert abs(count - expected) < 6 * math.sqrt(expected), text


def _sentence_entropy(level: int) -> float:
    """In nats, by the chain rule over the choices that the grammar makes."""

    def slot(name: str) -> float:
        weights = [1 / rank if level >= 4 else 1.0 for rank in range(1, len(SMALL[name]) + 1)]
        return -sum(w / sum(weights) * math.log(w / sum(weights)) for w in weights)

    def choice(*shares: float) -> float:
        return -sum(share * math.log(share) for share in shares)

    nouns, verbs = [len(SMALL[f"noun {n}"]) for n in CLASSES], [len(SMALL[f"verb {n}"]) for n in CLASSES]
    shares = [size / sum(nouns) for size in nouns]
    total = slot("article") + slot("adjective") + slot("adverb") * (0.5 if level >= 3 else 1.0)
    total += choice(*shares) + sum(s * slot(f"noun {n}") for s, n in zip(shares, CLASSES, strict=True))
    agreed = sum(s * slot(f"verb {n}") for s, n in zip(shares, CLASSES, strict=True))
    total += agreed if level >= 2 else math.log(sum(verbs))
    if level >= 3:
        total += choice(0.25, 0.5, 0.25) + choice(0.5, 0.5)
    if level >= 5:
        pronouns = shares[0] * slot("pronoun person")
        total += choice(0.5, 0.5) + 0.5 * (pronouns + agreed + choice(0.5, 0.5) + 0.5 * slot("adverb"))
    return total


@pytest.mark.parametrize("order", [1, 2, 3])
def test_words_of_a_chain_follow_its_table_from_the_first_place_on(order: int) -> None:
    shape, length, count = MarkovShape(num_words=3, concentration=0.5), 8, 20_000
    table = transition_table(shape, order, 1)
    drawn = torch.tensor(sentences(markov_grammar(shape, order, 1, length), count))
    joint = stationary(table)[..., None] * table
    for place in range(length - order):
        seen = torch.zeros_like(joint)
        window = tuple(drawn[:, place : place + order + 1].T)
        seen.index_put_(window, torch.ones(count, dtype=torch.float64), accumulate=True)
        noise = 6 * (joint * count).sqrt() + 1
        assert bool(((seen - joint * count).abs() < noise).all()), f"places {place} to {place + order}"


@pytest.mark.parametrize("order", [1, 2])
def test_the_mean_floor_of_a_chain_is_its_entropy(order: int) -> None:
    """One word hidden at the end costs the chain's entropy rate, which follows from the table alone."""
    shape = MarkovShape(num_words=4, concentration=0.5)
    table = transition_table(shape, order, 3)
    rate = -float((stationary(table)[..., None] * table * table.log()).sum())
    automaton = markov_grammar(shape, order, 3, 10)
    drawn = torch.tensor(sentences(automaton, 20_000))
    seen, targets = drawn.clone(), torch.full_like(drawn, HIDDEN)
    seen[:, -1], targets[:, -1] = HIDDEN, drawn[:, -1]
    losses = hidden_losses(automaton, seen, targets)[:, -1]
    assert abs(float(losses.mean()) - rate) < 5 * float(losses.std()) / math.sqrt(20_000)


def test_the_mean_floor_of_level_1_templates_is_the_logarithm_of_each_slots_size() -> None:
    data = settings("templates", vocab_size=999)
    sizes = Counter(name.split()[0] for name, words in read_slots().items() for _ in words)
    expected = [math.log(sizes[kind]) for kind in ("article", "adjective", "noun", "verb", "adverb")]
    tokens = token_rows(data, 64)
    positions = torch.arange(1, 6).expand(64, 5)
    losses = exact_losses(data, tokens, positions, tokens.gather(1, positions)).view(64, 5)
    assert torch.allclose(losses, torch.tensor(expected, dtype=torch.float64).expand(64, 5), atol=1e-9)


def test_the_floor_of_the_random_control_is_the_logarithm_of_its_words_for_every_target() -> None:
    data = settings("random", vocab_size=1005)
    tokens = token_rows(data, 32)
    positions = torch.tensor([3, 9]).expand(32, 2)
    losses = exact_losses(data, tokens, positions, tokens.gather(1, positions))
    assert torch.allclose(losses, torch.full((64,), math.log(1000), dtype=torch.float64))


def token_rows(data: DataConfig, count: int, length: int = 40) -> Tensor:
    """(count, length) ids of the first sentences, as the engine cuts them."""
    ids = {word: number + 5 for number, word in enumerate(open_grammar(data).words)}
    tokens = torch.full((count, length), PAD)
    for row, (text,) in zip(tokens, open_grammar(data).read(), strict=False):
        encoded = [CLS, *(ids[word] for word in text.split()), SEP]
        row[: len(encoded)] = torch.tensor(encoded)
    return tokens


def test_losses_come_in_the_order_of_the_targets_and_spare_places_are_left_out() -> None:
    data = settings("templates", difficulty=5, vocab_size=999)
    tokens = token_rows(data, 50)
    lengths = (tokens == SEP).int().argmax(1) - 1
    positions = torch.stack(
        [torch.tensor([3, 1, 0]) if n < 6 else torch.tensor([2, 6, 4]) for n in lengths.tolist()]
    )
    targets = tokens.gather(1, positions).masked_fill(positions == 0, IGNORED)
    masked = tokens.scatter(1, positions, torch.where(positions > 0, MASK, CLS))
    losses = exact_losses(data, masked, positions, targets)
    assert len(losses) == int((targets != IGNORED).sum())
    each = [
        exact_losses(data, tokens[r : r + 1], positions[r : r + 1], targets[r : r + 1]) for r in range(len(tokens))
    ]
    assert torch.allclose(losses, torch.cat(each))


@pytest.mark.parametrize("wrong", ["piece", "unknown"])
def test_a_row_that_is_no_sentence_of_the_grammar_is_refused(wrong: str) -> None:
    data = settings("templates", vocab_size=999)
    tokens = token_rows(data, 1)
    if wrong == "piece":
        tokens[0, 4] = SEP
    else:
        tokens[0, 3] = 1
    positions = torch.tensor([[1]])
    with pytest.raises(ValueError, match="of this grammar"):
        exact_losses(data, tokens, positions, tokens.gather(1, positions))


@pytest.mark.parametrize("data", all_settings(), ids=lambda d: f"{d.dataset}-{d.difficulty}-{d.markov_order}")
def test_what_settings_are_told_of_a_grammar_is_true(data: DataConfig) -> None:
    facts, documents = grammar_facts(data), open_grammar(data)
    lengths = [len(text.split()) for (text,) in documents.read()]
    assert len(lengths) == facts.default_sentences == documents.num_documents
    assert facts.shortest <= min(lengths) <= max(lengths) <= facts.longest
    assert {facts.shortest, facts.longest} <= set(lengths), "the bounds are reached"
    assert sum(lengths) / len(lengths) == pytest.approx(facts.mean_words, rel=0.05)
    assert facts.num_words == len(documents.words) == len(set(documents.words))


def test_the_words_are_plain_words_that_no_tokenizer_takes_apart() -> None:
    words = [
        word for name in GRAMMARS if name != "arithmetic" for word in grammar(settings(name, difficulty=5)).words
    ]
    assert all(word.isascii() and word.isalpha() and word.islower() for word in words)
    assert len(grammar(settings("templates")).words) == len(set(grammar(settings("templates")).words)) == 994
    assert grammar(settings("markov", difficulty=5)).words == MARKOV_WORDS


def test_a_sentence_is_a_function_of_its_number_and_of_the_seed() -> None:
    whole = list(open_grammar(settings("templates", max_samples=3000, difficulty=5)).read())
    for first in (0, 1, 1023, 1024, 2999, 3000):
        assert (
            list(open_grammar(settings("templates", max_samples=3000, difficulty=5)).read(first)) == whole[first:]
        )
    fewer = list(open_grammar(settings("templates", max_samples=100, difficulty=5)).read())
    assert fewer == whole[:100]
    other = list(open_grammar(settings("templates", max_samples=3000, difficulty=5, split_seed=1)).read())
    assert len({text for (text,) in whole} & {text for (text,) in other}) < 150, "only short ones come in both"


def test_the_vocabulary_is_the_same_at_every_level_of_the_templates() -> None:
    assert len({grammar(settings("templates", difficulty=level)).words for level in range(1, 6)}) == 1


def test_a_million_random_words_differ() -> None:
    words = random_grammar(100_000).words
    assert len(set(words)) == 100_000


def test_a_grammar_that_is_not_there_is_answered_with_those_there_are() -> None:
    with pytest.raises(
        DataError, match="'klingon' is not a grammar; there is templates, arithmetic, markov, random"
    ):
        open_grammar(settings("klingon"))
