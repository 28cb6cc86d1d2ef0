"""Keys of units and of stored parts: the SHA-256 of the fields that decide a result, so that equal keys mean the same work."""

from collections.abc import Mapping, Sequence, Set
from importlib.metadata import version
from typing import Any

from omegaconf import DictConfig, OmegaConf

from tokenrank.evaluation.evaluation import Evaluation
from tokenrank.evaluation.part_keys import PartKeys
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.metrics.metric import TRUTH
from tokenrank.models.devices import pick_device
from tokenrank.models.pretrained import Pretrained
from tokenrank.oracle.oracle import Answer
from tokenrank.planning.sources import modules_of, source_digest
from tokenrank.records.digests import digest, ids_digest
from tokenrank.tasks.task import Prompt

VERSIONS = ("torch", "transformers", "numpy")
OF_METRICS = ("scipy",)  # further packages that compute their values
CONTROLS = (
    "tokenrank.planning.contestants",
)  # imports what ranks for the contestants that are added, and says which these are
READING, SCORING = "tokenrank.capture.reading", "tokenrank.evaluation.scoring"
MEASURING, LOSSES = {"tokenrank.evaluation.stored_values"}, "tokenrank.evaluation.answer_losses"


def part_keys(config: DictConfig, source: Pretrained, heuristics: Mapping[str, Heuristic]) -> PartKeys:
    """What decides the stored parts of a run's prompts.

    Args:
        config: of the run, resolved.
        source: of the weights.
        heuristics: by name; some have weights of their own.
    """
    of_model = modules_of(config.model)

    def settings(node: Any) -> Any:
        return OmegaConf.to_container(node, resolve=True)

    return PartKeys(
        model={
            "model": source.identity(),
            "device": "spread" if source.device_map else pick_device(source.device).partition(":")[0],  # its kind
            "versions": _versions(VERSIONS),
        },
        answer_source=source_digest({READING} | of_model),
        oracles={
            str(name): {
                "settings": settings(node),
                "source": source_digest({SCORING} | of_model | modules_of(node)),
            }
            for name, node in config.oracle.items()
        },
        heuristics={
            name: {
                "settings": settings(config.heuristic[name]),
                "identity": dict(each.identity()),
                "source": source_digest({SCORING} | of_model | modules_of(config.heuristic[name])),
            }
            for name, each in heuristics.items()
        },
        metrics={
            "settings": settings(config.metric),
            "versions": _versions(OF_METRICS),
            "source": source_digest(MEASURING | {LOSSES} | modules_of(config.metric)),
        },
        losses_source=source_digest({READING, LOSSES} | of_model),
    )


def not_in_keys(evaluation: Evaluation, metrics: Mapping[str, Mapping[str, Any]]) -> Set[str]:
    """Settings of an evaluation that keys of units leave out, as they decide no record of a run with these metrics' configs."""
    against = {str(each.get("against", TRUTH)) for each in metrics.values()}
    return {*evaluation.summary_settings, *evaluation.idle_settings(against)}


def unit_keys(
    config: DictConfig,
    parts: PartKeys,
    prompts: Sequence[Prompt],
    answer: str,
    given: Sequence[Answer | None],
    evaluation: Evaluation,
) -> list[tuple[str, dict[str, Any]]]:
    """(key, its fields) of every unit, in the order of the prompts.

    Args:
        config: of the run, resolved.
        parts: what decides the parts.
        prompts: one a unit.
        answer: where answers come from.
        given: the answer to each prompt; None where it is generated.
        evaluation: says which of its settings decide the records.
    """
    groups = ("heuristic", "oracle", "metric", "evaluation", *(["prefill"] if evaluation.runs_engines else []))
    common: dict[str, Any] = (
        dict(parts.model)
        | {
            "versions": _versions((*VERSIONS, *OF_METRICS)),
            "of_heuristics": {name: own["identity"] for name, own in parts.heuristics.items() if own["identity"]},
            "source": {group: source_digest(modules_of(config[group])) for group in (*groups[1:], "model", "task")}
            | {"heuristic": {str(name): source_digest(modules_of(node)) for name, node in config.heuristic.items()}},
            "answer": answer,
        }
        | {group: OmegaConf.to_container(config[group], resolve=True) for group in groups}
    )
    left_out = not_in_keys(evaluation, config.metric)
    common["evaluation"] = {name: value for name, value in common["evaluation"].items() if name not in left_out}
    if evaluation.adds_controls:
        common["control_seed"] = config.seed  # of the random controls, which are no chosen heuristics
        common["source"]["controls"] = source_digest(CONTROLS)
    if evaluation.runs_engines:  # a point of a study has the engine of its heuristic, whatever it is called
        points: Any = OmegaConf.select(config, "study.points") or {}
        common["points"] = {str(name): point["heuristic"] for name, point in points.items()}
    found = []
    for prompt, own in zip(prompts, given, strict=True):
        parts_of = {"context": prompt.context, "question": prompt.question}
        fields = (
            common
            | {
                "input_ids": ids_digest(prompt.input_ids),
                "max_new_tokens": prompt.max_new_tokens,
                "stop_ids": list(prompt.stop_ids),
                "not_first_ids": list(prompt.not_first_ids),
                "task": prompt.task,
                "references": digest(
                    {"answers": prompt.answers, "classes": prompt.classes}
                ),  # may be private: not as text
            }
            | {name: None if part is None else [part.start, part.stop] for name, part in parts_of.items()}
            | {"evidence": [[each.start, each.stop] for each in prompt.evidence]}
        )
        if own is not None:
            fields["answer_ids"] = ids_digest(own.token_ids)
        found.append((digest(fields), fields))
    return found


def _versions(packages: Sequence[str]) -> dict[str, str]:
    return {name: version(name) for name in packages}
