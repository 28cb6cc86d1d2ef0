"""Keys of units: the SHA-256 of the fields that decide a result, so that equal keys mean the same work."""

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from tokenrank.evaluation.evaluation import Evaluation
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.models.devices import pick_device
from tokenrank.models.pretrained import Pretrained
from tokenrank.records.digests import digest, ids_digest
from tokenrank.tasks.task import Prompt

PACKAGE = Path(__file__).parent.parent
COMPUTING = (
    "capture",
    "signals",
    "heuristics",
    "oracle",
    "metrics",
    "prefill",
    "evaluation",
    "tasks",  # grades
    "models",
)  # folders whose code decides results
VERSIONS = ("torch", "transformers", "numpy")


def unit_keys(
    config: DictConfig,
    source: Pretrained,
    heuristics: Mapping[str, Heuristic],
    prompts: Sequence[Prompt],
    answer: str,
    evaluation: Evaluation,
) -> list[tuple[str, dict[str, Any]]]:
    """(key, its fields) of every unit, in the order of the prompts.

    Args:
        config: of the run.
        source: of the weights.
        heuristics: by name; some have weights of their own.
        prompts: one a unit.
        answer: where answers come from.
        evaluation: says which of its settings decide the records.
    """
    groups = ("heuristic", "oracle", "metric", "evaluation", *(["prefill"] if evaluation.runs_engines else []))
    common: dict[str, Any] = {
        "model": source.identity(),
        "of_heuristics": {name: own for name, each in heuristics.items() if (own := dict(each.identity()))},
        "device": "spread" if source.device_map else pick_device(source.device).partition(":")[0],  # its kind
        "versions": {name: version(name) for name in VERSIONS},
        "source": source_digest(),
        "answer": answer,
    } | {group: OmegaConf.to_container(config[group], resolve=True) for group in groups}
    common["evaluation"] = {
        name: value for name, value in common["evaluation"].items() if name not in evaluation.summary_settings
    }
    if evaluation.adds_controls:
        common["control_seed"] = config.seed  # of the random control, which is no chosen heuristic
    if evaluation.runs_engines:  # a point of a study has the engine of its heuristic, whatever it is called
        points: Any = OmegaConf.select(config, "study.points") or {}
        common["points"] = {str(name): point["heuristic"] for name, point in points.items()}
    found = []
    for prompt in prompts:
        needle = None if prompt.needle is None else [prompt.needle.start, prompt.needle.stop]
        fields = common | {
            "input_ids": ids_digest(prompt.input_ids),
            "max_new_tokens": prompt.max_new_tokens,
            "stop_ids": list(prompt.stop_ids),
            "not_first_ids": list(prompt.not_first_ids),
            "task": prompt.task,
            "references": digest({"answers": prompt.answers, "classes": prompt.classes}),  # may be private: not as text
            "needle": needle,
        }
        found.append((digest(fields), fields))
    return found


@cache
def source_digest() -> str:
    """SHA-256 of the source files that compute results, in the order of their names."""
    total = hashlib.sha256()
    for folder in COMPUTING:
        for file in sorted((PACKAGE / folder).rglob("*.py")):
            total.update(f"{file.relative_to(PACKAGE).as_posix()}\0".encode() + file.read_bytes() + b"\0")
    return total.hexdigest()
