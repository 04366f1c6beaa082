"""Probes of every kind: what a model is asked follows from its objective, in training and from a checkpoint."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest
import torch
from tokenizers import Tokenizer

from engine.checkpoints import CheckpointStore
from engine.data.tokenizers import encode_probe, make_tokenizer
from engine.models.build import build_model
from engine.models.transformer import Transformer
from engine.playground import Answer, Refusal, Request, answer
from engine.probes import ProbeError, probe
from presets.rules import broken_rules
from presets.schema import DataConfig, RunConfig
from runs.folder import RunFolder
from runs.reader import RunReader
from tests.fakes.hub_texts import passages
from tests.tiny import new_run, tiny_config, train
from tui.cli import main

TEXTS = [text.lower() for text in passages(60)]
VOCAB = 300


def parts(kind: str, **settings: str | int | float) -> tuple[Transformer, Tokenizer, RunConfig]:
    """An untrained model of the kind, of which some classify."""
    config = tiny_config(objective__kind=kind, model__init_std=0.5, model__segments=2, **settings)
    tokenizer = make_tokenizer(TEXTS, DataConfig(tokenizer="wordpiece", vocab_size=VOCAB), None)
    model = build_model(config, VOCAB, ("bad", "good") if kind == "classification" else ())
    model.initialise(seed=2)
    return model.train(), tokenizer, config


@pytest.mark.parametrize("kind", ["mlm", "nsp", "sop"])
def test_models_with_masks_fill_each_of_them(kind: str) -> None:
    result = probe(*_asked(parts(kind, probes__top_k=4), "the [MASK] of the [MASK]"))
    assert [len(mask) for mask in result.masks] == [4, 4]
    assert result.generated == ""
    best = [candidate.probability for candidate in result.masks[0]]
    assert best == sorted(best, reverse=True) and 0 < sum(best) < 1


def test_a_causal_model_goes_on_as_its_settings_say() -> None:
    model, tokenizer, config = parts("clm", probes__new_tokens=6, probes__temperature=0.0)
    result = probe(model, tokenizer, "the people", config)
    assert result.masks == () and result.generated
    tokens = [2, *encode_probe(tokenizer, "the people")]
    model.eval()
    for _ in range(6):
        logits = model.logits(model(torch.tensor([tokens]), None)[0, -1]).detach()
        logits[[0, 2, 4]] = -torch.inf
        tokens = [*tokens, int(logits.argmax())]
    words = "".join(tokenizer.id_to_token(token).removeprefix("##") for token in tokens[1:])
    assert (result.text + result.generated).replace(" ", "") == words
    assert probe(model, tokenizer, "", config).text == "", "a beginning may be empty"


def test_a_classifier_names_its_labels_for_any_text() -> None:
    result = probe(*_asked(parts("classification"), "the people"))
    assert {candidate.token for candidate in result.masks[0]} == {"bad", "good"}
    assert sum(candidate.probability for candidate in result.masks[0]) == pytest.approx(1.0, abs=1e-6)
    (likeliest,) = probe(*_asked(parts("classification", probes__top_k=1), "the people")).masks[0]
    assert likeliest == result.masks[0][0], "as many as the settings say"


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        ("mlm", "nothing hidden", "no \\[MASK\\]"),
        ("mlm", "a [MASK] " * 20, "the model takes 16"),
        ("clm", "the [MASK]", "goes on from a beginning, and fills no \\[MASK\\]"),
        ("clm", "the people " * 20, "the model takes 16, with what it adds"),
    ],
)
def test_a_text_that_the_model_can_make_nothing_of_is_refused(kind: str, text: str, words: str) -> None:
    with pytest.raises(ProbeError, match=words):
        probe(*_asked(parts(kind), text))


@pytest.mark.parametrize("kind", ["nsp", "sop"])
def test_masks_without_weight_were_never_learnt_and_are_not_guessed(kind: str) -> None:
    built = parts(kind, objective__mlm_weight=0.0, probes__texts=("no mask",))
    with pytest.raises(ProbeError, match="the masks have no weight in this run"):
        probe(*_asked(built, "the [MASK]"))
    assert not [problem for problem in broken_rules(built[2]) if "probes.texts" in problem.paths]


@pytest.mark.parametrize(("kind", "text"), [("mlm", "the [MASK]"), ("clm", "the"), ("classification", "the")])
def test_weights_that_are_no_numbers_say_nothing(kind: str, text: str) -> None:
    model, tokenizer, config = parts(kind)
    with torch.no_grad():
        model.token_embedding.weight.fill_(torch.nan)
    with pytest.raises(ProbeError, match="its weights are broken"):
        probe(model, tokenizer, text, config)
    assert model.training


@pytest.mark.parametrize("kind", ["mlm", "clm", "classification"])
def test_asking_changes_neither_the_mode_nor_the_random_state(kind: str) -> None:
    model, tokenizer, config = parts(kind)
    state = torch.get_rng_state()
    probe(model, tokenizer, "the people" if kind != "mlm" else "the [MASK]", config)
    assert model.training
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("kind", ["mlm", "clm", "classification"])
def test_a_compiled_model_is_asked_as_it_is_written(kind: str) -> None:
    def refuses(graph: object, inputs: object) -> None:
        raise AssertionError("compiled for a probe")

    model, tokenizer, config = parts(kind)
    model.compile(backend=refuses)
    assert probe(model, tokenizer, "the people" if kind != "mlm" else "the [MASK]", config).text
    assert model._compiled_call_impl is not None


@pytest.fixture(scope="module")
def causal_run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A causal run to its end."""
    folder = tmp_path_factory.mktemp("causal")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINYTRAIN_CACHE", str(folder / "cache"))
        config = tiny_config(
            objective__kind="clm", data__tokenizer="wordpiece", probes__texts=("the people of the", "we"),
            probes__new_tokens=8, data__sequence_length=24,
        )  # fmt: skip
        run = new_run(folder / "runs", config)
        train(run)
    return run


def asked(run: RunFolder, text: str, **settings: str | int | float) -> Answer | Refusal:
    return answer(msgspec.json.encode(Request(run=str(run.path), text=text, **settings)))  # type: ignore[arg-type]


def test_a_runs_last_probe_is_what_the_playground_says_of_its_checkpoint(causal_run: RunFolder) -> None:
    probed = RunReader(causal_run).poll().probes[-1]
    assert probed.step == 20
    assert [result.text for result in probed.probes] == ["the people of the", "we"]
    for result in probed.probes:
        assert result.generated
        reply = asked(causal_run, result.text)
        assert isinstance(reply, Answer)
        assert reply.probes == (result,)
        assert reply.step == 20


def test_a_request_may_change_how_is_drawn(causal_run: RunFolder) -> None:
    def generated(**settings: int | float) -> str:
        reply = asked(causal_run, "we", **settings)
        assert isinstance(reply, Answer)
        return reply.probes[0].generated

    wild = {"temperature": 3.0, "sample_top_k": 0}
    assert generated(seed=1, **wild) == generated(seed=1, **wild) != generated(seed=2, **wild)
    likeliest = generated(temperature=0.0)
    assert generated(seed=5, temperature=3.0, sample_top_k=1) == likeliest == generated(seed=3, top_p=1e-9)
    assert likeliest.startswith(generated(temperature=0.0, new_tokens=2))


def test_a_request_out_of_bounds_is_refused_with_the_fields_own_words(causal_run: RunFolder) -> None:
    reply = asked(causal_run, "we", temperature=99.0)
    assert isinstance(reply, Refusal)
    assert "probes.temperature" in reply.error and "10" in reply.error
    reply = asked(causal_run, "the [MASK]")
    assert isinstance(reply, Refusal) and "goes on from a beginning" in reply.error


def test_labels_that_cannot_be_read_are_named(causal_run: RunFolder, tmp_path: Path) -> None:
    copied = RunFolder(tmp_path / causal_run.id)
    shutil.copytree(causal_run.path, copied.path)
    store = CheckpointStore(copied.checkpoints_dir)
    loaded, _ = store.load("last")
    texts = {name: (store.folder / loaded.name / name).read_text() for name in ("tokenizer.json", "config.toml")}
    texts["labels.json"] = "{}"  # as it was saved: a file that came later would be no part of the checkpoint
    store.save(loaded.model, loaded.optimizer, loaded.state, texts, is_best=False, keep=9)
    reply = asked(copied, "we")
    assert isinstance(reply, Refusal) and "labels.json: not a list of labels" in reply.error


def _asked(
    built: tuple[Transformer, Tokenizer, RunConfig], text: str
) -> tuple[Transformer, Tokenizer, str, RunConfig]:
    model, tokenizer, config = built
    return model, tokenizer, text, config


def test_the_command_line_prints_the_text_as_it_goes_on(
    causal_run: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    reply = asked(causal_run, "we", temperature=0.0, new_tokens=5)
    assert isinstance(reply, Answer)
    runs = str(causal_run.path.parent)
    assert main(["--runs-dir", runs, "probe", "last", "we", "--temperature", "0", "--new-tokens", "5"]) == 0
    assert capsys.readouterr().out == f"we{reply.probes[0].generated}\n  (step-00000020)\n"
    assert main(["--runs-dir", runs, "probe", "last", "we", "--top", "3"]) == 2
    assert "--top is for masks and labels" in capsys.readouterr().err
    assert main(["--runs-dir", runs, "probe", "last", "the [MASK]"]) == 2
    assert "this is a causal model: it goes on from a beginning" in capsys.readouterr().err
