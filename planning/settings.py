"""The settings outside of the config groups (k, seed, universe, ...) and their types; unknown keys are refused."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from tokenrank.evaluation.answer_losses import Masks
from tokenrank.evaluation.family import Family
from tokenrank.evaluation.plan import BROUGHT, GENERATED, REFERENCE
from tokenrank.evaluation.setting_checks import check_percentages
from tokenrank.evaluation.universe import Universe
from tokenrank.planning.building import check_settings
from tokenrank.tasks.before_question import check_prompts

GROUPS = ("model", "task", "heuristic", "oracle", "metric", "prefill", "evaluation", "logger", "executor")


@dataclass(frozen=True)
class Bootstrap:
    """How differences between means over prompts are tested."""

    resamples: int


@dataclass(frozen=True)
class Plots:
    """Which k and truth plots and the printed table show, and which metrics are drawn."""

    k: float
    truth: str | None
    metrics: str | list[str] | None


@dataclass(frozen=True)
class Prefill:
    """Settings of pruned prefill."""

    keep: list[float]
    window: int
    select_layer: int | None
    protect: str
    budget: str
    together: bool
    engine: dict[str, Any]


@dataclass(frozen=True)
class RunSettings:
    """The settings outside of the groups."""

    seed: int
    k: list[float]
    answer: str
    answers: str | None
    prompts: str
    universe: dict[str, Any]
    chunk: int | str
    masks: dict[str, Any]
    loss_layers: list[int] | None
    agreement: bool
    bootstrap: dict[str, Any]
    compare: dict[str, Any]
    plots: dict[str, Any]
    press: str | list[str] | None
    store: str | None
    store_rankings: bool
    shard: str | None
    threads: int | None
    overwrite: bool
    estimate: bool
    save_rankings: bool
    save_levels: bool
    texts: bool
    report: bool
    report_class: dict[str, Any] | None
    study: dict[str, Any] | None

    @property
    def origin(self) -> str:
        """Where answers come from: ``answer``, unless ``answers`` names a file of them."""
        return self.answer if self.answers is None else BROUGHT


def run_settings(config: DictConfig) -> RunSettings:
    """The settings outside of the groups, checked.

    Raises:
        ValueError: a key that is no setting, a value of the wrong type or out of range, or a group that is empty.
    """
    for group in GROUPS:
        if not OmegaConf.is_dict(config.get(group)):
            raise ValueError(
                f"{group} is {config.get(group)!r}, must be chosen: {group}=NAME, a file of configs/{group}"
            )
    own = OmegaConf.create({name: node for name, node in config.items() if name not in (*GROUPS, "experiment")})
    plain: Any = OmegaConf.to_container(own, resolve=True)
    check_settings(RunSettings, plain, "")
    for kind, name in (
        (Universe, "universe"),
        (Bootstrap, "bootstrap"),
        (Family, "compare"),
        (Plots, "plots"),
        (Masks, "masks"),
    ):
        check_settings(kind, plain[name], name)
    check_settings(Prefill, OmegaConf.to_container(config.prefill, resolve=True), "prefill")
    settings = RunSettings(**plain)
    if settings.answer not in (GENERATED, REFERENCE):
        raise ValueError(f"answer is {settings.answer!r}, must be {GENERATED} or {REFERENCE}")
    if settings.answer == REFERENCE and settings.answers is not None:
        raise ValueError(f"answers is {settings.answers}, must be null with answer={REFERENCE}: choose one of them")
    check_prompts(settings.prompts)
    if settings.seed < 0:
        raise ValueError(f"seed is {settings.seed}, must be a whole number, at least 0")
    if settings.threads is not None and settings.threads < 1:
        raise ValueError(f"threads is {settings.threads}, must be at least 1, or null")
    if settings.overwrite and settings.shard is not None:
        raise ValueError(
            f"overwrite=true with shard={settings.shard} would remove what the other shards measured: remove the run folder, and leave "
            "out overwrite"
        )
    check_percentages("k", settings.k)
    if settings.plots["k"] not in settings.k:
        raise ValueError(f"plots.k is {settings.plots['k']}, must be one of k={settings.k}")
    truths, shown = [str(name) for name in config.oracle or ()], settings.plots["truth"]
    if truths and shown not in (None, *truths):
        raise ValueError(f"plots.truth is {shown!r}, must be null or of oracle=: {', '.join(truths)}")
    _check_drawn(settings.plots["metrics"], [str(name) for name in config.metric])
    return settings


def _check_drawn(metrics: str | list[str] | None, names: list[str]) -> None:
    listed = [metrics] if isinstance(metrics, str) else metrics or []
    strange = [name for name in listed if name not in names and listed != ["all"]]
    if strange:
        raise ValueError(f"plots.metrics holds {strange[0]}, must be all or of the chosen metrics: {', '.join(names)}")


def of_the_chosen(config: DictConfig, configs: Path) -> DictConfig:
    """A copy without an experiment's settings for heuristics and oracles of tokenrank that were not chosen.

    Args:
        config: of a run.
        configs: the folder of tokenrank's configs.
    """
    copy = config.copy()
    OmegaConf.set_struct(copy, False)
    for group in ("heuristic", "oracle"):
        copy[group] = {
            name: node
            for name, node in config[group].items()
            if not OmegaConf.is_dict(node) or "_target_" in node or not (configs / group / f"{name}.yaml").is_file()
        }
    return copy
