"""Time and peak memory of ranking compared with plain generation, alternating in one process.

    python scripts/bench_overhead.py longbench=FOLDER [repeats=5] [lengths=1000,2000,3400] [answer_tokens=128] [OVERRIDES]

Each prompt is a LongBench document (gov_report) cut in the middle to the given length. ``ranked`` is
the whole measurement: one read and answer, every heuristic at every layer but those that read many queries (MANY_QUERIES), the
oracle, every metric (``metrics s``, on the CPU). ``plain`` is ``model.generate()`` of the same tokens. The end-of-sequence token is switched off for both, so that both produce the same number
of tokens. Plain generation runs through the registered attention function too, without a visitor: one more function call a layer.
Then each heuristic's own share: the seconds in its code, as percent of plain generation; the attention that several of
them share is counted once, apart. OVERRIDES are those of run.py (model=..., heuristic=...); the default is heuristic=all.
"""

import statistics
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from torch import Tensor
from transformers import PreTrainedModel

from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.needs import Needs
from tokenrank.capture.reading import read
from tokenrank.evaluation.peak_memory import MIB, seconds_and_mebibytes
from tokenrank.evaluation.plan import Plan
from tokenrank.evaluation.rows_by_truth import measured_rows
from tokenrank.evaluation.scoring import rank
from tokenrank.evaluation.universe import Universe
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.planning.building import build
from tokenrank.planning.composing import register
from tokenrank.planning.making import make_plan
from tokenrank.tasks.task import Prompt, Task
from tokenrank.work.loading import load_model

ROOT = Path(__file__).resolve().parent.parent
OWN = {"longbench": "", "repeats": "5", "lengths": "1000,2000,3400", "answer_tokens": "128"}
PERCENTS, WINDOW = (5, 10, 20, 40), 8  # k and universe.window
MANY_QUERIES = ("h2o", "pyramidinfer")  # not in ``ranked``; their share is reported


def main() -> None:
    """Prints one line a length: medians of both, and the median of the ratios of neighbouring runs."""
    if any("=" not in argument for argument in sys.argv[1:]):
        sys.exit(__doc__)
    given = dict(argument.split("=", 1) for argument in sys.argv[1:])
    own = OWN | {name: value for name, value in given.items() if name in OWN}
    if not own["longbench"]:
        sys.exit(__doc__)
    overrides = [f"{name}={value}" for name, value in given.items() if name not in OWN]
    plan = make_plan(config(own["longbench"], 1000, overrides))
    model = load_model(plan)
    model.generation_config.eos_token_id = None
    names = ", ".join(name for name in plan.heuristics if name not in MANY_QUERIES)
    print(f"{plan.model_name} on {model.device}, {torch.get_num_threads()} threads; {names}")
    print(
        "tokens   plain s  ranked s  time ratio (least - most)   plain MiB  ranked MiB  ratio  without weights  metrics s"
    )
    for length in own["lengths"].split(","):
        task: Task = build(config(own["longbench"], int(length), overrides).task, "task", Task)
        prompt = task.prompts(plan.tokenizer, 10**6)[0]
        prompt = replace(prompt, max_new_tokens=int(own["answer_tokens"]))
        line, plain_seconds = compare(plan, model, prompt, int(own["repeats"]))
        print(line, flush=True)
        parts = shares(model, prompt, plan.heuristics)
        told = ", ".join(f"{name} {100 * seconds / plain_seconds:.2f}" for name, seconds in parts.items())
        print(f"       own shares, percent of plain: {told}", flush=True)


def config(longbench: str, length: int, overrides: list[str]) -> DictConfig:
    """The run's config with one document of the given length."""
    fixed = ["heuristic=all", "task=longbench", f"task.path={longbench}", "task.subset=[gov_report]", "task.samples=1"]
    with initialize_config_dir(str(ROOT / "configs"), version_base="1.3"):
        return compose("run", [*fixed, f"task.max_tokens={length}", *overrides])


def compare(plan: Plan, model: PreTrainedModel, prompt: Prompt, repeats: int) -> tuple[str, float]:
    """One line of the table and the median seconds of plain generation; also checks that the answers are the same."""
    ids = torch.tensor([prompt.input_ids], device=model.device)
    timed = {name: each for name, each in plan.heuristics.items() if name not in MANY_QUERIES}

    metric_seconds: list[float] = []  # on the CPU, whatever the model's device

    def plain() -> list[int]:
        output = model.generate(  # type: ignore[operator]
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=prompt.max_new_tokens, do_sample=False
        )
        return list(map(int, output[0, ids.shape[1] :]))

    def ranked() -> list[int]:
        result = rank(model, prompt, timed, plan.oracles)
        started = time.perf_counter()
        places = Universe(window=WINDOW).places(prompt)
        list(measured_rows(result, prompt, plan.metrics, PERCENTS, places, plan.layers.windowed))
        metric_seconds.append(time.perf_counter() - started)
        return list(result.answer.token_ids)

    if plain() != ranked():  # also warms both up
        raise RuntimeError("plain and ranked generation gave different answers")
    weights = sum(each.numel() * each.element_size() for each in model.parameters()) / MIB
    runs = [(*seconds_and_mebibytes(model, plain), *seconds_and_mebibytes(model, ranked)) for _ in range(repeats)]
    seconds, memory, own_seconds, own_memory = (statistics.median(column) for column in zip(*runs, strict=True))
    ratios = [run[2] / run[0] for run in runs]
    spread = f"{statistics.median(ratios):10.3f} ({min(ratios):.3f} - {max(ratios):.3f})"
    return (
        f"{ids.shape[1]:6} {seconds:9.2f} {own_seconds:9.2f}  {spread}  {memory:14.0f} {own_memory:11.0f} "
        f"{own_memory / memory:6.3f} {(own_memory - weights) / (memory - weights):16.3f}  {statistics.median(metric_seconds):9.2f}"
    ), seconds


def shares(model: PreTrainedModel, prompt: Prompt, heuristics: Mapping[str, Heuristic]) -> dict[str, float]:
    """Seconds in each heuristic's own code, over all layers, and those of the window attention that they share."""
    spent = dict.fromkeys(("shared attention", *heuristics), 0.0)
    rows: dict[str, list[Tensor]] = {name: [] for name, each in heuristics.items() if not each.needs.answer}
    needs = Needs.together(each.needs for each in heuristics.values())

    def visit(layer: AttentionLayer) -> None:
        with adding(spent, "shared attention"):
            layer.attention(min(needs.window, layer.tokens))
        for name, kept in rows.items():
            with adding(spent, name):
                kept.append(heuristics[name].score(layer))

    reading = read(model, torch.tensor(prompt.input_ids), visit, max_new_tokens=1, needs=needs)
    for name, each in heuristics.items():
        with adding(spent, name):
            if each.needs.answer:
                each.from_answer(reading.ahead_layers)
            else:
                each.combine(torch.stack(rows[name]))
    return spent


@contextmanager
def adding(spent: dict[str, float], name: str) -> Iterator[None]:
    """Adds the block's seconds to ``spent[name]``."""
    started = time.perf_counter()
    yield
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    spent[name] += time.perf_counter() - started


if __name__ == "__main__":
    register(ROOT / "configs")
    main()
