"""A real OpenAI-compatible server, llama.cpp's, with a tiny random model, judges end to end.

llama.cpp is compiled, and so no part of the development environment. The test runs where
GITLOOP_LLAMA names a Python that has llama-cpp-python with its server, where .venv-llama is one
(`python3 dev.py llama`), or where it is here; else it is skipped.
"""

from __future__ import annotations

import os
import random
import socket
import struct
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from gitloop.judges.openai import OpenaiJudge
from gitloop.params import JudgePin, Rubric
from gitloop.records import Case

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
HAS_LLAMA = "from importlib.util import find_spec as f; raise SystemExit(not f('llama_cpp'))"
WIDTH, HEADS, HIDDEN = 32, 2, 64
_KINDS = {int: 4, float: 6, bool: 7, str: 8}
_FAVOURITE = 3 + ord('"')
"""The token that ends a string: where the grammar lets it, the model says it."""


def _text(value: str) -> bytes:
    content = value.encode()
    return struct.pack("<Q", len(content)) + content


def _value(value: Any) -> bytes:  # noqa: ANN401 -- GGUF's scalars
    packed = {int: "<I", float: "<f", bool: "<?"}
    return _text(value) if isinstance(value, str) else struct.pack(packed[type(value)], value)


def _field(name: str, value: Any) -> bytes:  # noqa: ANN401 -- GGUF's values
    if isinstance(value, list):
        kind = 5 if name.endswith("token_type") else _KINDS[type(value[0])]
        head = struct.pack("<IIQ", 9, kind, len(value))
        return _text(name) + head + b"".join(_value(one) for one in value)
    return _text(name) + struct.pack("<I", _KINDS[type(value)]) + _value(value)


def write_model(path: Path) -> None:
    """A llama of one layer with random weights and a vocabulary of bytes, as a GGUF file."""
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    fields = {
        "general.architecture": "llama",
        "general.name": "tiny",
        "llama.context_length": 4096,
        "llama.embedding_length": WIDTH,
        "llama.block_count": 1,
        "llama.feed_forward_length": HIDDEN,
        "llama.attention.head_count": HEADS,
        "llama.attention.head_count_kv": HEADS,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.rope.dimension_count": WIDTH // HEADS,
        "llama.vocab_size": len(tokens),
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.scores": [0.0] * len(tokens),
        "tokenizer.ggml.token_type": [2, 3, 3] + [6] * 256,
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
    }
    draw = random.Random(7)

    def noise(n: int) -> list[float]:
        return [draw.gauss(0, 0.02) for _ in range(n)]

    embedding, output = noise(WIDTH * len(tokens)), noise(WIDTH * len(tokens))
    embedding[::WIDTH] = [1.0] * len(tokens)
    output[_FAVOURITE * WIDTH] = 4.0
    square, wide = (WIDTH, WIDTH), (WIDTH, HIDDEN)
    shapes = {
        "token_embd.weight": ((WIDTH, len(tokens)), embedding),
        "output_norm.weight": ((WIDTH,), [1.0] * WIDTH),
        "output.weight": ((WIDTH, len(tokens)), output),
        "blk.0.attn_norm.weight": ((WIDTH,), [1.0] * WIDTH),
        **{f"blk.0.attn_{x}.weight": (square, noise(WIDTH**2)) for x in ("q", "k", "v", "output")},
        "blk.0.ffn_norm.weight": ((WIDTH,), [1.0] * WIDTH),
        "blk.0.ffn_gate.weight": (wide, noise(WIDTH * HIDDEN)),
        "blk.0.ffn_up.weight": (wide, noise(WIDTH * HIDDEN)),
        "blk.0.ffn_down.weight": ((HIDDEN, WIDTH), noise(WIDTH * HIDDEN)),
    }
    infos, data = b"", b""
    for name, (shape, weights) in shapes.items():
        data += b"\0" * (-len(data) % 32)
        dimensions = struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
        infos += _text(name) + dimensions + struct.pack("<IQ", 0, len(data))
        data += struct.pack(f"<{len(weights)}f", *weights)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(shapes), len(fields))
    head += b"".join(_field(name, value) for name, value in fields.items()) + infos
    path.write_bytes(head + b"\0" * (-len(head) % 32) + data)


def llama() -> str:
    """A Python that has llama.cpp's server."""
    named = [os.environ.get("GITLOOP_LLAMA"), str(ROOT / ".venv-llama/bin/python")]
    for candidate in (*named, sys.executable):
        if candidate and Path(candidate).exists():
            done = subprocess.run([candidate, "-c", HAS_LLAMA], check=False, cwd="/")
            if done.returncode == 0:
                return candidate
    pytest.skip("no Python with llama-cpp-python: see CONTRIBUTING.md, llama.cpp")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running llama.cpp server."""
    python = llama()
    folder = tmp_path_factory.mktemp("llama")
    write_model(folder / "tiny.gguf")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [python, "-m", "llama_cpp.server", "--model", str(folder / "tiny.gguf")]
    command += ["--host", "127.0.0.1", "--port", str(port), "--n_ctx", "4096", "--n_threads", "1"]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen([*command, "--chat_format", "chatml"], stdout=log, stderr=log) as process,
    ):
        try:
            for _ in range(600):
                assert process.poll() is None, (folder / "log").read_text(errors="replace")[-2000:]
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models") as answer:
                        assert answer.status == 200
                    break
                except OSError:
                    time.sleep(0.2)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()


@pytest.mark.parametrize("scale", ["binary", "continuous"])
def test_a_real_server_answers_structured_judgements(
    server: str, scale: Literal["binary", "continuous"]
) -> None:
    """Verdicts come back as the grammar has it; a number that it lets out of range is no score."""
    form = {"instructions": "Pass when it is short."}
    rubric = Rubric(name="short", version="1", scale=scale, scorer={"openai": form})
    parameters = {"base_url": server, "max_tokens": 200, "concurrency": 2, "seed": 1}
    pin = JudgePin(use="openai", model="tiny", parameters=parameters)
    judge = OpenaiJudge(rubric, pin, Path())
    cases = [Case(str(n), "q", output="word " * n) for n in range(1, 5)]
    for answer in judge.call([judge.request(case) for case in cases]):
        assert answer.value["n_input_tokens"] > 100
        if scale == "binary" or answer.status == "ok":
            found = judge.read(answer)
            assert (answer.error, found.status) == ("", "ok")
            assert found.score is not None
            assert 0 <= found.score <= 1
        else:
            assert answer.status == "unparsed"
