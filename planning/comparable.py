"""Runs that are to be joined: their settings as read from their folders, and a check that their values can be compared."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from tokenrank.evaluation.evaluation import Evaluation
from tokenrank.planning.building import build
from tokenrank.planning.folder_names import OPERATIONAL
from tokenrank.planning.keys import OF_METRICS, VERSIONS, not_in_keys
from tokenrank.planning.replay import FOR_HYDRA
from tokenrank.records.digests import digest
from tokenrank.records.flat_settings import flat
from tokenrank.records.run_folder import RunFolder

OF_CONTESTANTS = ("keep", "save_rankings", "save_levels")  # settings of an evaluation that need not agree
SHOWN = 60  # letters of a value in a message
# settings of an evaluation's config -> the settings that they are taken from, which one types
TYPED = {
    "protect": "prefill.protect", "budget": "prefill.budget", "together": "prefill.together", "prompts": "prompts", "keep": "prefill.keep",
    "universe": "universe", "truths": "order of oracle", "window": "universe.window", "k": "k", "chunk": "chunk", "masks": "masks", "loss_layers": "loss_layers", "agreement": "agreement",
    "seed": "seed", "resamples": "bootstrap.resamples", "save_rankings": "save_rankings", "save_levels": "save_levels",
}  # fmt: skip


@dataclass(frozen=True)
class Source:
    """A run that is to be joined."""

    folder: RunFolder
    config: Mapping[str, Any]  # its settings
    environment: Mapping[str, Any]  # content of environment.json
    evaluation: Evaluation

    @property
    def label(self) -> str:
        """Its folder, for messages."""
        return str(self.folder.path)

    @property
    def run(self) -> str:
        """SHA-256 of the settings that decide its tables: equal for all shards of one run."""
        return digest({name: value for name, value in self.config.items() if name not in OPERATIONAL})


def read_source(folder: RunFolder) -> Source:
    """A run folder's settings; nothing is written.

    Raises:
        ValueError: the folder is no run folder of this version, is itself joined, or its config.yaml cannot be read.
    """
    environment = folder.environment()
    if environment.get("joined"):
        raise ValueError(f"{folder.path} is itself joined: give the folders that it was made of")
    return Source(folder, settings_of(folder), environment, evaluation_of(folder))


def settings_of(folder: RunFolder) -> dict[str, Any]:
    """The settings in config.yaml, without Hydra's entries."""
    plain: Any = OmegaConf.to_container(_loaded(folder), resolve=False)
    if not isinstance(plain, dict):
        raise ValueError(f"{folder.config} cannot be read: it is no mapping")
    return {str(name): value for name, value in plain.items() if name not in FOR_HYDRA}


def evaluation_of(folder: RunFolder) -> Evaluation:
    """The evaluation that config.yaml describes.

    Raises:
        ValueError: the file cannot be read, or describes none.
    """
    try:
        return build(_loaded(folder).evaluation, "evaluation", Evaluation)  # type: ignore[no-any-return]
    except (OmegaConfBaseException, AttributeError) as error:
        raise ValueError(f"{folder.config} cannot be read: {' '.join(str(error).split())}") from error


def _loaded(folder: RunFolder) -> Any:
    try:
        return OmegaConf.load(folder.config)
    except (OSError, YAMLError, OmegaConfBaseException) as error:
        raise ValueError(f"{folder.config} cannot be read: {' '.join(str(error).split())}") from error


def check_comparable(sources: Sequence[Source]) -> list[str]:
    """One line for each difference that changes no value: another machine with the same kind of device.

    Raises:
        ValueError: two runs differ in a setting or version that their values depend on; the message names both folders and both
            values.
    """
    first, notes = sources[0], []
    for other in sources[1:]:
        if other.config["evaluation"].get("agreement") and other.run != first.run:
            raise not_joined(
                first.label,
                other.label,
                "agreement",
                "true",
                "true, and heuristics that are truths of a run are not those of another",
            )
        idle, others = (not_in_keys(each.evaluation, each.config["metric"]) for each in (first, other))
        found = difference(_facts(first, idle & others), _facts(other, idle & others))
        if found is not None:
            raise not_joined(first.label, other.label, *found)
        machine = difference(_machine(first), _machine(other))
        if machine is None:
            continue
        if first.evaluation.timed:
            raise not_joined(first.label, other.label, *machine)
        notes.append(f"note: {machine[0]} is {machine[1]} in {first.label} and {machine[2]} in {other.label}")
    return notes


def not_joined(first: str, other: str, name: str, one: str, another: str) -> ValueError:
    """The error for two runs that differ in what their values depend on."""
    return ValueError(f"{first} and {other} cannot be joined: {name} is {one} in the first and {another} in the second")


def difference(first: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """The first setting, by its full name, in which two mappings differ, and both values; None if they are equal."""
    one, another = flat(first), flat(other)
    for name in [*one, *another]:
        if one.get(name, ...) != another.get(name, ...):
            return name, _shown(one.get(name, ...)), _shown(another.get(name, ...))
    return None


def as_typed(name: str) -> str:
    """The setting of a run that an entry of its resolved config or of a record's key is taken from.

    >>> as_typed("evaluation.protect"), as_typed("evaluation.repeats"), as_typed("oracle.settings")
    ('prefill.protect', 'evaluation.repeats', 'oracle')
    """
    group, _, entry = name.partition(".")
    return TYPED.get(entry, name) if group == "evaluation" else group if entry == "settings" else name


def _shown(value: Any) -> str:
    text = "missing" if value is ... else str(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _facts(source: Source, idle: Set[str]) -> dict[str, Any]:
    """What must agree, in the order in which differences are named; ``idle``: settings of the evaluation that need not."""
    config, environment = source.config, source.environment
    packages = environment.get("packages") or {}
    settings = {name: each for name, each in config["evaluation"].items() if name not in {*idle, *OF_CONTESTANTS}}
    return {
        "evaluation": source.evaluation.kind,
        **{name: config.get(name) for name in ("oracle", "metric", "answer")},
        "report_class": config.get("report_class"),
        **{as_typed(f"evaluation.{name}"): value for name, value in settings.items()},
        "model": environment.get("model"),
        "layers": environment.get("layers"),
        "generation_config": environment.get("generation_config"),
        "device": str(environment.get("device")).partition(":")[0],  # its kind
        **{name: packages.get(name) for name in (*VERSIONS, *OF_METRICS)},
    }


def _machine(source: Source) -> dict[str, Any]:
    return {name: source.environment.get(name) for name in ("host", "device_name", "platform")}
