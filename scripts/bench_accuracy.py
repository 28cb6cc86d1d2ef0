"""Time and peak memory of evaluation=accuracy and evaluation=fidelity compared with plain generation, alternating in one process.

    python scripts/bench_accuracy.py longbench=FOLDER [prompts=3] [repeats=3] [tokens=2000] [answer_tokens=64] [OVERRIDES]

Prompts are LongBench's (qasper, gov_report, hotpotqa, ...), cut in the middle to ``tokens``. ``plain`` is ``model.generate()`` of the same
tokens. ``accuracy`` and ``fidelity`` are the whole measurement of a prompt: its reading, answer and truth, every contestant with its
engine's bound and control at every keep rate. Nothing is taken from a store. The end-of-sequence token is switched off for all, so
that every answer has as many tokens. OVERRIDES are those of run.py; the default is heuristic=[claa,fastkv,gemfilter,snapkv,tova].
Ratios are taken within a repeat of a prompt. Below them, where the seconds of the last repeat go.
"""

import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from hydra import compose, initialize_config_dir
from transformers import PreTrainedModel

from tokenrank.capture.rows import Rows
from tokenrank.evaluation import contest, shared_prompt
from tokenrank.evaluation.peak_memory import seconds_and_mebibytes
from tokenrank.evaluation.plan import Plan, Unit
from tokenrank.planning.composing import register
from tokenrank.planning.making import make_plan
from tokenrank.work.loading import load_model

ROOT = Path(__file__).resolve().parent.parent
OWN = {"longbench": "", "prompts": "3", "repeats": "3", "tokens": "2000", "answer_tokens": "64"}
SUBSETS = "[qasper,hotpotqa,gov_report]"
HEURISTICS = "[claa,fastkv,gemfilter,snapkv,tova]"
PARTS = {  # what is timed -> where it is called
    "reading, answer and truth": (shared_prompt, "stored_rank"),
    "second halves and restarts": (shared_prompt.SharedPrompt, "prefilled"),
    "caches put together": (Rows, "__init__"),
    "answers decoded": (contest, "decode_together"),
}


def main() -> None:
    """Prints a line a measurement: medians, and the median of the ratios to plain generation."""
    if any("=" not in argument for argument in sys.argv[1:]):
        sys.exit(__doc__)
    given = dict(argument.split("=", 1) for argument in sys.argv[1:])
    own = OWN | {name: value for name, value in given.items() if name in OWN}
    if not own["longbench"]:
        sys.exit(__doc__)
    overrides = [f"{name}={value}" for name, value in given.items() if name not in OWN]
    plans = {kind: plan_of(kind, own, overrides) for kind in ("accuracy", "fidelity")}
    model = load_model(plans["accuracy"])
    model.generation_config.eos_token_id = None
    contestants = ", ".join(each.name for each in plans["accuracy"].contestants)
    print(
        f"{plans['accuracy'].model_name} on {model.device}, {torch.get_num_threads()} threads; {contestants}",
        flush=True,
    )
    rounds = []
    for repeat in range(int(own["repeats"]) + 1):
        for unit in plans["accuracy"].units:
            found = compare(plans, model, unit, int(own["answer_tokens"]))
            told = ", ".join(f"{kind} {seconds:.2f} s" for kind, (seconds, _) in found.items())
            print(f"{'warming up' if repeat == 0 else unit.name}: {told}", flush=True)
            rounds += [found] if repeat else []
            if repeat == 0:
                break
    print(f"{'':10}seconds  ratio (least - most)      peak MiB  ratio")
    for kind in ("plain", *plans):
        seconds, memory = ([each[kind][part] for each in rounds] for part in (0, 1))
        times = [each[kind][0] / each["plain"][0] for each in rounds]
        more = max(memory) / max(each["plain"][1] for each in rounds)
        print(
            f"{kind:10}{statistics.median(seconds):7.2f}  {statistics.median(times):5.2f} ({min(times):.2f} - {max(times):.2f})"
            f"{max(memory):14.0f}  {more:5.2f}",
            flush=True,
        )
    for kind, plan in plans.items():
        print(f"{kind}: " + ", ".join(f"{name} {part:.2f} s" for name, part in shares(plan, model).items()), flush=True)


def plan_of(kind: str, own: dict[str, str], overrides: list[str]) -> Plan:
    """The plan of an evaluation on the prompts, without a store."""
    fixed = [
        f"evaluation={kind}", f"heuristic={HEURISTICS}", "task=longbench", f"task.path={own['longbench']}", f"task.subset={SUBSETS}",
        f"task.samples={own['prompts']}", f"task.max_tokens={own['tokens']}", f"task.max_new_tokens={own['answer_tokens']}",
        "store=null",
    ]  # fmt: skip
    with initialize_config_dir(str(ROOT / "configs"), version_base="1.3"):
        return make_plan(compose("run", [*fixed, *overrides]))


def compare(
    plans: dict[str, Plan], model: PreTrainedModel, unit: Unit, answer_tokens: int
) -> dict[str, tuple[float, float]]:
    """(seconds, peak memory in MiB) of plain generation and of each evaluation on one prompt."""
    ids = torch.tensor([unit.prompt.input_ids], device=model.device)

    def plain() -> object:
        mask = torch.ones_like(ids)
        return model.generate(ids, attention_mask=mask, max_new_tokens=answer_tokens, do_sample=False)  # type: ignore[operator]

    calls: dict[str, Callable[[], object]] = {"plain": plain}
    for kind, plan in plans.items():
        calls[kind] = measuring(plan, model, unit)
    return {kind: seconds_and_mebibytes(model, call) for kind, call in calls.items()}


def measuring(plan: Plan, model: PreTrainedModel, unit: Unit) -> Callable[[], object]:
    """The measurement of one prompt, which fails where a contestant did."""

    def measure() -> None:
        error = plan.evaluation.measure(plan, model, replace(unit), lambda _: None).sample.get("error")
        if error:
            raise RuntimeError(str(error))

    return measure


def shares(plan: Plan, model: PreTrainedModel) -> dict[str, float]:
    """Mean seconds a prompt of each part of the measurement."""
    spent: dict[str, float] = defaultdict(float)
    with ExitStack() as stack:
        for name, (place, attribute) in PARTS.items():
            stack.enter_context(timed(spent, name, place, attribute))
        started = time.perf_counter()
        for unit in plan.units:
            measuring(plan, model, unit)()
        total = time.perf_counter() - started
    spent["all else (the full answers, what they lose)"] = total - sum(spent.values())
    return {name: seconds / len(plan.units) for name, seconds in spent.items()}


@contextmanager
def timed(spent: dict[str, float], name: str, place: Any, attribute: str) -> Iterator[None]:
    """Within the block, the seconds of every call of a function are added up."""
    own = getattr(place, attribute)

    def call(*given: Any, **named: Any) -> Any:
        started = time.perf_counter()
        try:
            return own(*given, **named)
        finally:
            spent[name] += time.perf_counter() - started

    with patch.object(place, attribute, call):
        yield


if __name__ == "__main__":
    register(ROOT / "configs")
    main()
