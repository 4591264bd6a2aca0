"""The peers of benchmarks/judging.py: one judge call per case, against the same loopback server.

Run by another interpreter, in whose environment deepeval and inspect-ai are installed:

    PEERS_PYTHON benchmarks/judging_peers.py URL N CONCURRENCY

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


def deepeval(url: str, n: int, concurrency: int) -> float:
    """Seconds of a G-Eval metric with its steps given, so that each case is one call."""
    api: Any = import_module("deepeval")
    metrics: Any = import_module("deepeval.metrics")
    models: Any = import_module("deepeval.models")
    cases: Any = import_module("deepeval.test_case")
    configs: Any = import_module("deepeval.evaluate.configs")
    params = getattr(cases, "SingleTurnParams", None) or cases.LLMTestCaseParams
    metric = metrics.GEval(
        name="so",
        evaluation_steps=["Pass when it is so."],
        evaluation_params=[params.INPUT, params.ACTUAL_OUTPUT],
        model=models.LocalModel(model="m", base_url=url, api_key="x", temperature=0),
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
    os.environ.update(OPENAI_BASE_URL=url, OPENAI_API_KEY="x")
    ai: Any = import_module("inspect_ai")
    dataset: Any = import_module("inspect_ai.dataset")
    scorers: Any = import_module("inspect_ai.scorer")
    solvers: Any = import_module("inspect_ai.solver")
    models: Any = import_module("inspect_ai.model")

    @solvers.solver  # type: ignore[untyped-decorator]
    def given() -> Any:  # noqa: ANN401 -- the peer's own types
        async def solve(state: Any, _generate: Any) -> Any:  # noqa: ANN401
            state.output = models.ModelOutput.from_content("m", "x")
            return state

        return solve

    samples = [dataset.Sample(input=f"q{i}", target="x") for i in range(n)]
    config = models.GenerateConfig(max_connections=concurrency, temperature=0)
    grader = models.get_model("openai/gpt-4o", config=config)
    task = ai.Task(
        dataset=dataset.MemoryDataset(samples),
        solver=given(),
        scorer=scorers.model_graded_qa(model=grader),
    )
    start = time.perf_counter()
    ai.eval(
        task,
        model="mockllm/model",
        max_samples=4 * concurrency,
        display="none",
        log_dir=tempfile.mkdtemp(),
        log_samples=False,
    )
    return time.perf_counter() - start


PEERS: dict[str, tuple[str, Callable[[str, int, int], float]]] = {
    "deepeval": ("deepeval", deepeval),
    "inspect-ai": ("inspect-ai", inspect),
}


def main() -> int:
    """Run every peer that is installed."""
    url, n, concurrency = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    os.environ.update(DEEPEVAL_TELEMETRY_OPT_OUT="YES", DEEPEVAL_DISABLE_DOTENV="1")
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
