"""The peer: Hugging Face `Trainer` with `BertForMaskedLM` of the same sizes, on rows of the same token cache."""

from __future__ import annotations

import itertools
import statistics
import time
from pathlib import Path
from typing import Any

import torch

from engine.data.batches import SequenceStore
from engine.data.token_cache import open_or_build
from tests.benchmarks.engine_runs import WARM_UP, WINDOW, Size, data_config, threads

MAX_ROWS = 8192
_DROPOUTS = ("hidden_dropout_prob", "attention_probs_dropout_prob")


def measure(
    size: list[Any], folder: str, precision: str, seconds: float, dropout: float | None = None
) -> dict[str, float]:
    """Tokens per second: the median over windows of steps, as ours.

    dropout: None leaves what `BertConfig` comes with, 0.1, whose attention is then not torch's fused one.
    """
    from transformers import (
        BertConfig,
        BertForMaskedLM,
        DataCollatorForLanguageModeling,
        PreTrainedTokenizerFast,
        Trainer,
        TrainerCallback,
        TrainingArguments,
    )

    torch.set_num_threads(threads())
    wanted, place = Size(*size), Path(folder)
    data = data_config(wanted, place)
    cache = open_or_build(data, place / "cache" / "tokens", lambda *_: None)
    store = SequenceStore((shard.train for shard in cache.shards), data, torch.device("cpu"))
    tokens, _, _ = store.rows(torch.arange(min(len(store), MAX_ROWS)))
    is_special = [1] + [0] * (wanted.length - 2) + [1]
    rows = [{"input_ids": row, "special_tokens_mask": is_special} for row in tokens.tolist()]
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=cache.tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]",
        sep_token="[SEP]", mask_token="[MASK]",
    )  # fmt: skip
    torch.manual_seed(0)
    model = BertForMaskedLM(
        BertConfig(
            vocab_size=cache.vocab_size,
            hidden_size=wanted.hidden,
            num_hidden_layers=wanted.layers,
            num_attention_heads=wanted.heads,
            intermediate_size=4 * wanted.hidden,
            max_position_embeddings=wanted.length,
            **({} if dropout is None else dict.fromkeys(_DROPOUTS, dropout)),
        )
    )

    class Clock(TrainerCallback):  # type: ignore[misc]
        def __init__(self) -> None:
            self.started = 0.0
            self.ends: list[float] = []

        def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.started = self.started or time.perf_counter()

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.ends.append(time.perf_counter())
            enough = len(self.ends) >= (WARM_UP + 3) * WINDOW
            control.should_training_stop = enough and self.ends[-1] - self.started >= seconds

    clock = Clock()
    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(place / "peer"),
            max_steps=100_000,
            per_device_train_batch_size=wanted.batch,
            learning_rate=1e-3,
            weight_decay=0.01,
            max_grad_norm=1.0,
            optim="adamw_torch_fused",
            bf16=precision == "bf16",
            use_cpu=True,
            logging_strategy="no",
            save_strategy="no",
            eval_strategy="no",
            report_to="none",
            disable_tqdm=True,
        ),
        train_dataset=rows,
        data_collator=DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.15),
        callbacks=[clock],
    )
    trainer.train()
    ends = clock.ends[::WINDOW]
    windows = [(end - start) / WINDOW for start, end in itertools.pairwise(ends)]
    step = statistics.median(windows[WARM_UP:])
    return {"tokens_per_second": wanted.batch * wanted.length / step, "vocabulary": float(cache.vocab_size)}
