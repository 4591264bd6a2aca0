"""One step of TRL's trainers on exports, with tiny randomly initialised models; prints JSON lines.

Run by `test_pairs_trainers.py` in whichever Python has torch and trl; it knows nothing of gitloop:

    python trainers.py dpo a.jsonl reward b.jsonl kto c.jsonl grpo d.jsonl
"""

from __future__ import annotations

import json
import math
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}

import torch
from datasets import load_dataset
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    PreTrainedTokenizerFast,
)

SPECIAL = ("<pad>", "<bos>", "<eos>", "<unk>")
TEMPLATE = (
    "{% for message in messages %}<bos>{{ message['role'] }} {{ message['content'] }} <eos>"
    "{% endfor %}{% if add_generation_prompt %}<bos>assistant {% endif %}"
)


def tokenizer_of(path: Path) -> PreTrainedTokenizerFast:
    """A word tokenizer of the file's own words."""
    words = Tokenizer(models.WordLevel(unk_token="<unk>"))  # noqa: S106 -- no password
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.WordLevelTrainer(special_tokens=list(SPECIAL), vocab_size=2000)
    words.train_from_iterator([path.read_text(encoding="utf-8")], trainer)
    made = PreTrainedTokenizerFast(
        tokenizer_object=words,
        pad_token="<pad>",  # noqa: S106
        bos_token="<bos>",  # noqa: S106
        eos_token="<eos>",  # noqa: S106
        unk_token="<unk>",  # noqa: S106
    )
    made.chat_template = TEMPLATE
    return made


def config_of(tokenizer: PreTrainedTokenizerFast) -> LlamaConfig:
    """Two layers of sixteen numbers."""
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=512,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )


def common(folder: str) -> dict[str, Any]:
    """What every trainer is told: one step on the CPU, nothing saved, nothing reported."""
    return {
        "output_dir": folder,
        "max_steps": 1,
        "per_device_train_batch_size": 2,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "seed": 0,
    }


def trainer_of(kind: str, path: Path, folder: str) -> Any:  # noqa: ANN401 -- TRL's own
    """The trainer, with model, tokenizer and the export."""
    import trl  # noqa: PLC0415 -- seconds, and only what is asked for

    torch.manual_seed(0)
    data = load_dataset("json", data_files=str(path), split="train", cache_dir=folder)
    tokenizer = tokenizer_of(path)
    config = config_of(tokenizer)
    told = common(folder)
    if kind == "reward":
        config.num_labels = 1
        model = LlamaForSequenceClassification(config)
        return trl.RewardTrainer(
            model, trl.RewardConfig(**told), train_dataset=data, processing_class=tokenizer
        )
    model = str(Path(folder) / "model")  # DPO loads it a second time, as the reference
    LlamaForCausalLM(config).save_pretrained(model)
    if kind == "grpo":
        told |= {"num_generations": 2, "max_completion_length": 8}

        def recorded(
            completions: list[Any],
            recorded_rewards: list[list[float]],
            **_: Any,  # noqa: ANN401
        ) -> list[float]:
            """The best recorded reward of the prompt, whatever is said now."""
            return [max(known) for _, known in zip(completions, recorded_rewards, strict=True)]

        return trl.GRPOTrainer(
            model,
            recorded,
            args=trl.GRPOConfig(**told),
            train_dataset=data,
            processing_class=tokenizer,
        )
    trainers_of = {
        "dpo": (trl.DPOTrainer, trl.DPOConfig),
        "kto": (trl.KTOTrainer, trl.KTOConfig),
    }
    made, settings = trainers_of[kind]
    return made(model, args=settings(**told), train_dataset=data, processing_class=tokenizer)


def step(kind: str, path: Path) -> dict[str, Any]:
    """What one step on a file comes to."""
    with tempfile.TemporaryDirectory() as folder:
        trainer = trainer_of(kind, path, folder)
        done = trainer.train()
        return {
            "steps": done.global_step,
            "is_finite": math.isfinite(done.training_loss),
            "n_rows": len(trainer.train_dataset),
        }


def main() -> None:
    """Take one step per file and say what came of each."""
    given = sys.argv[1:]
    for kind, path in zip(given[::2], given[1::2], strict=True):
        sys.stdout.write("\n" + json.dumps(step(kind, Path(path))) + "\n")


if __name__ == "__main__":
    main()
