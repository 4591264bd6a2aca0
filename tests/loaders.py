"""What axolotl, LLaMA-Factory and Unsloth make of exports, by their own loaders; prints JSON lines.

Run by `test_pairs_loaders.py` in whichever Python has them; it knows nothing of gitloop:

    python -m tests.loaders axolotl folder llama-factory folder unsloth rows.jsonl
"""

from __future__ import annotations

import json
import math
import os
import sys
import tempfile
import types
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

os.environ |= {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "AXOLOTL_DO_NOT_TRACK": "1",
    "DO_NOT_TRACK": "1",
    "UNSLOTH_DISABLE_STATISTICS": "1",
    "DISABLE_VERSION_CHECK": "1",  # LLaMA-Factory would read data with older transformers alone
}

if "unsloth" in sys.argv:
    import unsloth  # before transformers, as it asks

from datasets import load_dataset
from transformers import LlamaForCausalLM, Seq2SeqTrainingArguments

from tests.trainers import common, config_of, tokenizer_of

Rows = list[dict[str, str]]


def axolotl(folder: Path, place: str) -> dict[str, Any]:
    """The rows that axolotl trains on, by the axolotl.yaml that lies beside the data."""
    import yaml  # noqa: PLC0415 -- each tool is imported where it is asked for
    from axolotl.utils.data.rl import prepare_preference_datasets  # noqa: PLC0415
    from axolotl.utils.dict import DictDefault  # noqa: PLC0415

    tokenizer = tokenizer_of(words_of(folder))
    tokenizer.save_pretrained(place)
    config_of(tokenizer).save_pretrained(place)
    told = yaml.safe_load((folder / "axolotl.yaml").read_text(encoding="utf-8"))
    more = {
        "base_model": place,
        "base_model_config": place,
        "tokenizer_config": place,
        "tokenizer_use_mistral_common": False,
        "chat_template": "tokenizer_default",
        "dataset_prepared_path": f"{place}/prepared",
        "dataset_num_proc": 1,
        "sequence_len": 512,
        "seed": 0,
    }
    os.chdir(folder)
    train, _ = prepare_preference_datasets(DictDefault(told | more), tokenizer)
    names = ("prompt", "chosen", "rejected")
    return {"rows": [{name: row[name] for name in names} for row in train]}


def llama_factory(folder: Path, place: str) -> dict[str, Any]:
    """The rows that LLaMA-Factory trains on, by the dataset_info.json beside the data, in words."""
    stub = types.ModuleType("torchaudio")  # no sound is read, and no build of it is for CPU alone
    stub.__spec__ = ModuleSpec("torchaudio", None)
    sys.modules.setdefault("torchaudio", stub)
    from llamafactory.data import get_dataset, get_template_and_fix_tokenizer  # noqa: PLC0415
    from llamafactory.hparams import DataArguments  # noqa: PLC0415

    tokenizer = tokenizer_of(words_of(folder))
    data = DataArguments(
        template="default",
        dataset="gitloop_train",
        dataset_dir=str(folder),
        cutoff_len=512,
        overwrite_cache=True,
    )
    found = get_dataset(
        get_template_and_fix_tokenizer(tokenizer, data),
        types.SimpleNamespace(cache_dir=place, hf_hub_token=None),
        data,
        Seq2SeqTrainingArguments(output_dir=place, use_cpu=True, report_to="none"),
        "rm",
        tokenizer,
    )

    def said(row: dict[str, Any], side: str) -> tuple[str, str]:
        """What was asked, and what is learned: the rest of the labels is masked."""
        learned = [one for one in row[f"{side}_labels"] if one >= 0]
        asked = row[f"{side}_input_ids"][: -len(learned)]
        return tokenizer.decode(asked), tokenizer.decode(learned)

    rows = []
    for row in found["train_dataset"]:
        (prompt, chosen), (_, rejected) = said(row, "chosen"), said(row, "rejected")
        rows.append({"prompt": prompt, "chosen": chosen, "rejected": rejected})
    return {"rows": rows}


def unsloth_step(path: Path, place: str) -> dict[str, Any]:
    """What one step of TRL's DPOTrainer on Unsloth's model comes to."""
    import trl  # noqa: PLC0415

    tokenizer = tokenizer_of(path)
    tokenizer.save_pretrained(place)
    LlamaForCausalLM(config_of(tokenizer)).save_pretrained(place)
    model, tokenizer = unsloth.FastLanguageModel.from_pretrained(
        place, max_seq_length=256, load_in_4bit=False
    )
    model = unsloth.FastLanguageModel.get_peft_model(
        model, r=4, lora_alpha=4, target_modules=["q_proj", "v_proj"]
    )
    trainer = trl.DPOTrainer(
        model,
        args=trl.DPOConfig(**common(place)),
        train_dataset=load_dataset("json", data_files=str(path), split="train", cache_dir=place),
        processing_class=tokenizer,
    )
    done = trainer.train()
    return {
        "steps": done.global_step,
        "is_finite": math.isfinite(done.training_loss),
        "n_rows": len(trainer.train_dataset),
    }


def words_of(folder: Path) -> Path:
    """The file whose words the tokenizer knows: words.txt beside the data."""
    return folder / "words.txt"


READERS = {"axolotl": axolotl, "llama-factory": llama_factory, "unsloth": unsloth_step}


def main() -> None:
    """Read what each argument pair names and say what came of it."""
    given = sys.argv[1:]
    for kind, path in zip(given[::2], given[1::2], strict=True):
        with tempfile.TemporaryDirectory() as place:
            found = READERS[kind](Path(path).resolve(), place)
        sys.stdout.write("\n" + json.dumps({"kind": kind} | found) + "\n")


if __name__ == "__main__":
    main()
