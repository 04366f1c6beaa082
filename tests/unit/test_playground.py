"""The playground's views of a text, the models it keeps, and its process."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import torch

from engine.analysis.attention import attention_weights
from engine.data.tokenizers import make_tokenizer
from engine.loaded_model import LoadedModel, load_model
from engine.models.build import build_model
from engine.playground import Answer, Refusal, Request
from engine.playground import __main__ as playground_main
from engine.playground.__main__ import Requests, serve
from engine.playground.answers import Answerer, Superseded, Wishes
from engine.playground.shelf import Shelf
from presets.schema import DataConfig
from runs.folder import RunFolder
from runs.playground import Loading, Piece, Reply, Said, View
from runs.playground_process import PlaygroundProcess
from tests.tiny import new_run, tiny_config, train

TEXT = "the people of the [MASK] zyzzyva"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RunFolder]:
    """A masked and a causal run, to their ends."""
    folder = tmp_path_factory.mktemp("playground")
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINYTRAIN_CACHE", str(folder / "cache"))
        for kind, texts in (("mlm", ("the people of the [MASK]",)), ("clm", ("we",))):
            config = tiny_config(objective__kind=kind, probes__texts=texts, probes__new_tokens=6)
            found[kind] = new_run(folder / "runs", config)
            train(found[kind])
    return found


@pytest.fixture(scope="module")
def answerer() -> Answerer:
    return Answerer()


def ask(answerer: Answerer, run: RunFolder, text: str = TEXT, *views: View, **more: object) -> Reply:
    return answerer.answer(Request(str(run.path), text, views=views or ("predict",), **more))  # type: ignore[arg-type]


def answer_of(reply: Reply) -> Answer:
    assert isinstance(reply, Answer), reply
    return reply


def test_tokens_say_what_the_tokenizer_did(answerer: Answerer, trained: dict[str, RunFolder]) -> None:
    reply = answer_of(ask(answerer, trained["mlm"]))
    assert [token.piece for token in reply.tokens] == ["the", "people", "of", "the", "[MASK]", "zyzzyva"]
    assert [token.is_mask for token in reply.tokens] == [False] * 4 + [True, False]
    assert [token.is_unknown for token in reply.tokens] == [False] * 5 + [True]
    assert (reply.num_unknown, reply.length, reply.objective) == (1, 16, "mlm")


def test_the_loss_of_a_token_is_what_hiding_it_costs(answerer: Answerer, trained: dict[str, RunFolder]) -> None:
    reply = answer_of(ask(answerer, trained["mlm"], TEXT, "losses"))
    assert reply.loss_of == "masked"
    by_hand = answer_of(ask(answerer, trained["mlm"], "the people of [MASK] [MASK] zyzzyva", "predict", top_k=100))
    likely = {one.token: one.probability for one in by_hand.probes[0].masks[0]}
    the = reply.tokens[3]
    assert the.loss is not None and math.exp(-the.loss) == pytest.approx(likely["the"], rel=1e-4)
    assert the.guesses[0].probability == pytest.approx(max(likely.values()), rel=1e-4)
    assert reply.tokens[4].loss is None and reply.tokens[4].guesses


def test_a_causal_models_tokens_follow_what_stands_before_them(
    answerer: Answerer, trained: dict[str, RunFolder]
) -> None:
    reply = answer_of(ask(answerer, trained["clm"], "the people of", "losses", "likely"))
    before = answer_of(ask(answerer, trained["clm"], "the people", "likely", top_k=100))
    likely = {one.token: one.probability for one in before.next}
    last = reply.tokens[2]
    assert last.loss is not None and math.exp(-last.loss) == pytest.approx(likely["of"], rel=1e-4)
    assert sum(one.probability for one in reply.next) <= 1.000001


def test_the_map_is_the_models_own_attention(answerer: Answerer, trained: dict[str, RunFolder]) -> None:
    shown = answer_of(ask(answerer, trained["mlm"], TEXT, "attention", layer=2, head=1)).attention
    assert shown is not None and shown.tokens[0] == "[CLS]" and shown.tokens[-1] == "[SEP]"
    loaded = load_model(trained["mlm"], "last")
    ids = [loaded.tokenizer.token_to_id(token) for token in shown.tokens]
    weights = attention_weights(loaded.model, ids)[1, 0]
    assert torch.allclose(torch.tensor(shown.weights), weights, atol=1e-4)
    assert (len(shown.entropies), len(shown.entropies[0])) == (2, 2)


def test_neighbours_are_those_of_the_word_nearest_first(answerer: Answerer, trained: dict[str, RunFolder]) -> None:
    nearest = answer_of(ask(answerer, trained["mlm"], "", "neighbours", word="people", neighbours=7)).nearest
    assert nearest is not None and len(nearest.nearest) == 7
    cosines = [one.similarity for one in nearest.nearest]
    assert cosines == sorted(cosines, reverse=True) and "people" not in {one.token for one in nearest.nearest}


@pytest.mark.parametrize(
    ("view", "text", "more", "words"),
    [
        ("predict", "no mask", {}, r"no \[MASK\]"),
        ("losses", "", {}, "the text is empty"),
        ("losses", "the " * 15, {}, "17 tokens .* takes 16; take 1 away"),
        ("attention", TEXT, {"head": 3}, "no head 1.3: the model has layers 1 to 2 with heads 1 to 2"),
        ("neighbours", TEXT, {"word": "zyzzyva"}, "'zyzzyva' is not in the vocabulary"),
        ("predict", "x" * 20_001, {}, "20,001 characters"),
        ("predict", TEXT, {"checkpoint": "7"}, "no checkpoint '7'"),
    ],
)
def test_what_cannot_be_answered_is_explained(
    answerer: Answerer, trained: dict[str, RunFolder], view: View, text: str, more: dict[str, object], words: str
) -> None:
    reply = ask(answerer, trained["mlm"], text, view, **more)
    assert isinstance(reply, Refusal)
    assert re.search(words, reply.error), reply.error


def test_one_view_that_fails_leaves_the_others(answerer: Answerer, trained: dict[str, RunFolder]) -> None:
    reply = answer_of(ask(answerer, trained["mlm"], "no mask", "predict", "losses", "attention"))
    assert set(reply.problems) == {"predict"} and reply.attention is not None
    assert all(token.loss is not None for token in reply.tokens)


def test_a_text_is_said_as_it_grows_and_can_be_stopped(answerer: Answerer, trained: dict[str, RunFolder]) -> None:
    said: list[Said] = []
    request = Request(str(trained["clm"].path), "the", stream=True, temperature=0.0, new_tokens=6)
    whole = answer_of(answerer.answer(request, Wishes(say=said.append))).probes[0].generated
    pieces = [one.generated for one in said if isinstance(one, Piece)]
    assert len(pieces) > 1 and pieces[-1] == whole and all(whole.startswith(piece) for piece in pieces)
    assert (
        whole == answer_of(ask(answerer, trained["clm"], "the", temperature=0.0, new_tokens=6)).probes[0].generated
    )

    def stop() -> None:
        raise Superseded

    with pytest.raises(Superseded):
        answerer.answer(request, Wishes(still_wanted=stop))


def test_models_are_kept_within_bounds_and_read_anew_when_their_files_change(
    trained: dict[str, RunFolder], tmp_path: Path
) -> None:
    copy = RunFolder(tmp_path / trained["mlm"].id)
    shutil.copytree(trained["mlm"].path, copy.path)
    shelf = Shelf(most=2)
    told: list[str] = []
    first = shelf.find(copy, "last", lambda name, size: told.append(name))
    assert shelf.find(copy, "last") is first and told == ["step-00000020"]
    model = copy.checkpoints_dir / "step-00000020" / "model.safetensors"
    whole = model.read_bytes()
    model.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))  # damaged: the one before has to do
    fallen = shelf.find(copy, "last")
    assert fallen.name == "step-00000015" and "step-00000020" in fallen.note
    for name in ("step-00000010", "last"):
        shelf.find(copy, name)
    assert len(shelf) == 2


@pytest.fixture
def process() -> Iterator[PlaygroundProcess]:
    with PlaygroundProcess() as started:
        yield started


def test_the_process_answers_the_newest_of_a_slot(
    process: PlaygroundProcess, trained: dict[str, RunFolder]
) -> None:
    run = str(trained["mlm"].path)
    # all are sent before the process has read a model: of each slot the newest is answered, and no other
    for number in range(1, 31):
        process.ask(Request(run, f"the [MASK] {'of ' * (number % 5)}", id=number, slot="ab"[number % 2]))
    answered: list[int] = []
    for said in process.said():
        if isinstance(said, Answer):
            answered.append(said.id)
        if {29, 30} <= set(answered):
            break
        assert not isinstance(said, Refusal), said
    assert len(answered) < 10 and answered[-1] in (29, 30)
    process.write(b"{}\n")  # what is no request is refused, and the process lives on
    process.ask(Request(run, TEXT, id=31))
    rest = [
        said for _, said in zip(range(2), (s for s in process.said() if not isinstance(s, Loading)), strict=False)
    ]
    assert {type(said) for said in rest} == {Refusal, Answer}


def test_while_a_model_writes_others_are_answered_and_a_newer_stops_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    requests, said = Requests(ends_at_once=False), list[Said]()
    monkeypatch.setattr(playground_main, "say", said.append)

    class Writer(Answerer):
        def answer(self, request: Request, wishes: Wishes | None = None) -> Reply:
            assert wishes is not None
            if request.stream:
                requests.take(Request("run", "typed meanwhile", id=2, slot="first"))
                requests.take(Request("run", "other", id=3, slot="second writes", stream=True))
                wishes.still_wanted()
                assert [one.id for one in said if isinstance(one, Answer)] == [2]
                requests.take(Request("run", id=4, slot="first writes"))
                wishes.still_wanted()
                raise AssertionError("it was superseded")
            return Answer(id=request.id)

    requests.take(Request("run", "a beginning", id=1, slot="first writes", stream=True))
    first = requests.next()
    assert first is not None
    serve(Writer(), requests, first)
    assert [one.id for one in said if isinstance(one, Answer | Refusal)] == [2]
    waiting = [requests.next(), requests.next()]
    assert [one.id for one in waiting if one is not None] == [3, 4]


def test_every_line_of_a_pipe_is_answered_before_the_process_ends(trained: dict[str, RunFolder]) -> None:
    lines = [msgspec.json.encode(Request(str(trained["mlm"].path), "a [MASK]", id=number)) for number in (1, 2)]
    done = subprocess.run(
        [sys.executable, "-m", "engine.playground"], input=b"\n".join(lines), capture_output=True, check=True
    )
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["id"] for one in said if one["said"] == "answer"] == [1, 2]


def test_a_classifiers_tokens_cost_what_hiding_them_does_to_its_label(monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny_config(objective__kind="classification", model__init_std=0.5)
    tokenizer = make_tokenizer(["the people of the states", "we the people"], DataConfig(vocab_size=40), None)
    model = build_model(config, tokenizer.get_vocab_size(), ("bad", "good"))
    model.initialise(seed=1)
    loaded = LoadedModel("step-00000001", 1, "", model.eval(), tokenizer, config)
    shelf = Shelf()
    monkeypatch.setattr(shelf, "find", lambda *_: loaded)
    reply = answer_of(Answerer(shelf).answer(Request("run", "the people", views=("likely", "losses"))))
    assert reply.loss_of == "label" and not reply.problems
    (labels,) = reply.probes[0].masks
    assert {label.token for label in labels} == {"bad", "good"}
    for token in reply.tokens:
        shares = {guess.token: guess.probability for guess in token.guesses}
        assert token.loss is not None and math.exp(-token.loss) == pytest.approx(shares[labels[0].token], rel=1e-4)
