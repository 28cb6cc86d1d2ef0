"""Time of each truth as a number of prefills of the same prompt, alternating in one process.

    python scripts/bench_truths.py [tokens=2000] [answer_tokens=32] [chunk=64] [repeats=5] [truths=attention,ablation,gradient,regression] [OVERRIDES]

The prompt is one of niah with about so many tokens; as many of its tokens as the answer has are fed as the answer, since no time depends
on what they are. A prefill is all of the prompt up to the first answer token. A truth is what its oracle needs after that: for ``attention`` the
pass that gives the answer's queries and the reduction, for the others all passes on the prompt's cache. Prefill and truths alternate;
each ratio is that of neighbours. LIMITS are those that the project sets itself for 2,000 tokens, chunks of 64 and answers of 32; the exit status is 1 where a
median is above its limit. OVERRIDES are those of run.py (model=..., threads is the environment's).
"""

import statistics
import sys
import time
from pathlib import Path
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from torch import Tensor
from transformers import PreTrainedModel

from tokenrank.capture.answer_passes import AnswerPasses
from tokenrank.capture.reading import Reading, read
from tokenrank.oracle.oracle import Answer, AnsweredPrompt, Oracle
from tokenrank.planning.building import build
from tokenrank.planning.composing import register
from tokenrank.planning.making import make_plan
from tokenrank.work.loading import load_model

ROOT = Path(__file__).resolve().parent.parent
OWN = {"tokens": "2000", "answer_tokens": "32", "repeats": "5", "truths": "attention,ablation,gradient,regression"}
LIMITS = {"ablation": 2.5, "gradient": 1.0}  # prefills


def main() -> None:
    """Prints one line a truth: seconds and prefills, the median and the range over the repeats."""
    if any("=" not in argument for argument in sys.argv[1:]):
        sys.exit(__doc__)
    given = dict(argument.split("=", 1) for argument in sys.argv[1:])
    own = OWN | {name: value for name, value in given.items() if name in OWN}
    overrides = [f"{name}={value}" for name, value in given.items() if name not in OWN]
    names = own["truths"].split(",")
    plan = make_plan(config(own["tokens"], overrides, names[0]))
    oracles: dict[str, Oracle] = {
        name: build(config(own["tokens"], overrides, name).oracle[name], f"oracle {name}", Oracle) for name in names
    }
    ids = torch.tensor(next(iter(plan.prompts)).input_ids)
    model, answer = load_model(plan), ids[: int(own["answer_tokens"])].tolist()
    print(
        f"{plan.model_name} on {model.device}, {torch.get_num_threads()} threads; {len(ids)} tokens, {len(answer)} answer tokens"
    )
    for oracle in oracles.values():
        timed(model, ids, answer, oracle)  # warms up
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    for _ in range(int(own["repeats"])):
        for name, oracle in oracles.items():
            spent[name].append(timed(model, ids, answer, oracle))
    print("truth        seconds  prefill s  prefills (least - most)  limit")
    over = [name for name in names if not within(name, spent[name])]
    if over:
        sys.exit(f"above the limit: {', '.join(over)}")


def within(name: str, spent: list[tuple[float, float]]) -> bool:
    """Prints the line of a truth; whether its median is within its limit, if it has one."""
    prefill, seconds = (statistics.median(column) for column in zip(*spent, strict=True))
    ratios = [own / whole for whole, own in spent]
    ratio, limit = statistics.median(ratios), LIMITS.get(name)
    limited = "" if limit is None else f"{limit:7.1f}"
    print(f"{name:12} {seconds:7.2f}  {prefill:9.2f}  {ratio:8.3f} ({min(ratios):.3f} - {max(ratios):.3f}) {limited}")
    return limit is None or ratio <= limit


def timed(model: PreTrainedModel, ids: Tensor, answer: list[int], oracle: Oracle) -> tuple[float, float]:
    """Seconds of a prefill, and of the truth after it."""
    layers = oracle.needs.layers
    reading: Reading = read(
        model,
        ids,
        lambda _: None,
        max_new_tokens=len(answer) if layers else 1,
        answer_ids=answer if layers else answer[:1],
        keep_cache=True,
    )
    waited(model)
    started = time.perf_counter()
    cache = reading.cache if oracle.needs.passes else None
    passes = None if cache is None else AnswerPasses(model, ids, torch.tensor(answer), cache)
    oracle.truth(AnsweredPrompt(model, ids, Answer(tuple(answer), "brought"), reading.answer_layers, passes))
    waited(model)
    return reading.prefill_seconds, (reading.answer_seconds if layers else 0.0) + time.perf_counter() - started


def waited(model: PreTrainedModel) -> None:
    """Waits for the model's device."""
    if model.device.type == "cuda":
        torch.cuda.synchronize(model.device)


def config(tokens: str, overrides: list[str], oracle: str) -> DictConfig:
    """The run's config with one prompt of the given length and this oracle."""
    fixed: list[Any] = [
        "task=niah",
        f"task.lengths=[{tokens}]",
        "task.depths=[50]",
        "task.samples=1",
        f"oracle={oracle}",
    ]
    with initialize_config_dir(str(ROOT / "configs"), version_base="1.3"):
        return compose("run", [*fixed, *overrides])


if __name__ == "__main__":
    register(ROOT / "configs")
    main()
