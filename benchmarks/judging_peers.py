"""The peers of benchmarks/judging_throughput.py: one judge call per case, against the same server.

Run by another interpreter, in whose environment deepeval and inspect-ai are installed:

    PEERS_PYTHON benchmarks/judging_peers.py URL N CONCURRENCY

Each is called as its documentation has it for many cases at a time, with telemetry, cache and
displays off and after its imports, and reports the seconds of its own `evaluate` or `eval`.
deepeval is called twice: with its LocalModel, which makes a client for every call, and with a model
of one's own around one client, which its documentation offers for whatever its models do not do.
Prints one JSON object per line: the peer, its version, its seconds, or why it could not run.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any


def deepeval_local(url: str, n: int, concurrency: int) -> float:
    """Seconds of deepeval with the model that it has for OpenAI-compatible servers."""
    models: Any = import_module("deepeval.models")
    local = models.LocalModel(model="m", base_url=url, api_key="x", temperature=0)
    return _deepeval(local, n, concurrency)


def deepeval_own(url: str, n: int, concurrency: int) -> float:
    """Seconds of deepeval with a model that keeps one asynchronous client."""
    base: Any = import_module("deepeval.models").DeepEvalBaseLLM
    client: Any = import_module("openai").AsyncOpenAI(base_url=url, api_key="x")

    class Own(base):  # type: ignore[misc]
        def load_model(self) -> Any:  # noqa: ANN401 -- the peer's own types
            return client

        def get_model_name(self) -> str:
            return "m"

        def generate(self, prompt: str, schema: Any = None) -> Any:  # noqa: ANN401
            raise NotImplementedError

        async def a_generate(self, prompt: str, schema: Any = None) -> Any:  # noqa: ANN401
            asked = [{"role": "user", "content": prompt}]
            reply = await client.chat.completions.create(model="m", messages=asked, temperature=0)
            text = reply.choices[0].message.content.splitlines()[0]
            return schema.model_validate_json(text) if schema else text

    return _deepeval(Own("m"), n, concurrency)


def _deepeval(model: Any, n: int, concurrency: int) -> float:  # noqa: ANN401
    """Seconds of a G-Eval metric with its steps given, so that each case is one call."""
    api: Any = import_module("deepeval")
    metrics: Any = import_module("deepeval.metrics")
    cases: Any = import_module("deepeval.test_case")
    configs: Any = import_module("deepeval.evaluate.configs")
    params = getattr(cases, "SingleTurnParams", None) or cases.LLMTestCaseParams
    metric = metrics.GEval(
        name="so",
        evaluation_steps=["Pass when it is so."],
        evaluation_params=[params.INPUT, params.ACTUAL_OUTPUT],
        model=model,
        async_mode=True,
    )
    asked = [cases.LLMTestCase(input=f"q{i}", actual_output="x") for i in range(n)]
    start = time.perf_counter()
    api.evaluate(
        asked,
        [metric],
        async_config=configs.AsyncConfig(run_async=True, max_concurrent=concurrency),
        display_config=configs.DisplayConfig(show_indicator=False, print_results=False),
        cache_config=configs.CacheConfig(use_cache=False, write_cache=False),
    )
    return time.perf_counter() - start


def inspect(url: str, n: int, concurrency: int) -> float:
    """Seconds of a model-graded task whose outputs are there already, so each case is one call."""
    os.environ.update(LOOPBACK_BASE_URL=url, LOOPBACK_API_KEY="x")
    ai: Any = import_module("inspect_ai")
    dataset: Any = import_module("inspect_ai.dataset")
    scorers: Any = import_module("inspect_ai.scorer")
    solvers: Any = import_module("inspect_ai.solver")
    models: Any = import_module("inspect_ai.model")

    @solvers.solver  # type: ignore[untyped-decorator]
    def given() -> Any:  # noqa: ANN401
        async def solve(state: Any, _generate: Any) -> Any:  # noqa: ANN401
            state.output = models.ModelOutput.from_content("m", "x")
            return state

        return solve

    samples = [dataset.Sample(input=f"q{i}", target="x") for i in range(n)]
    config = models.GenerateConfig(max_connections=concurrency, temperature=0)
    grader = models.get_model("openai-api/loopback/m", config=config)
    task = ai.Task(
        dataset=dataset.MemoryDataset(samples),
        solver=given(),
        scorer=scorers.model_graded_qa(model=grader),
    )
    start = time.perf_counter()
    (log,) = ai.eval(
        task,
        model="mockllm/model",
        max_samples=4 * concurrency,
        display="none",
        log_dir=tempfile.mkdtemp(),
        log_samples=False,
    )
    seconds = time.perf_counter() - start
    if log.status != "success":
        raise RuntimeError(log.error.message if log.error else log.status)
    return seconds


PEERS: dict[str, tuple[str, Callable[[str, int, int], float]]] = {
    "deepeval, LocalModel": ("deepeval", deepeval_local),
    "deepeval, one client": ("deepeval", deepeval_own),
    "inspect-ai": ("inspect-ai", inspect),
}


def main() -> int:
    """Run every peer that is installed."""
    url, n, concurrency = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    os.environ.update(
        DEEPEVAL_TELEMETRY_OPT_OUT="YES",
        DEEPEVAL_DISABLE_DOTENV="1",
        DEEPEVAL_NO_INSPECT_PROMPT="1",
    )
    os.chdir(tempfile.mkdtemp())
    for name, (package, run) in PEERS.items():
        told: dict[str, Any] = {"peer": name}
        try:
            told["version"] = version(package)
            told["seconds"] = run(url, n, concurrency)
        except PackageNotFoundError:
            told["absent"] = "not installed"
        except Exception as error:  # noqa: BLE001 -- a peer that fails is reported, not hidden
            told["absent"] = f"{type(error).__name__}: {error}"[:200]
        print(json.dumps(told), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
