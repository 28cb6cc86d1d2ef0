"""Settings of what was not chosen: the sentence for an argument that Hydra refuses, and arguments that would have no effect."""

import difflib
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

CONFIGS = Path(__file__).parent.parent / "configs"
REFUSED = re.compile(r"Could not (?:override|delete from config\.) '([\w.]+)'")  # what Hydra says
ALIKE = 0.8  # of two names: from there on one may be a slip for the other
OF_SOME_METRICS = frozenset(("chunk", "masks", "loss_layers"))  # settings that some metrics alone read
TRIED = 50  # combinations of a sweep in which the refused one is looked for
OF_RANKING = ("agreement", "masks", "loss_layers")  # settings that evaluation=ranking alone reads
# kind of evaluation -> settings and groups that change nothing of its runs
UNUSED: Mapping[str, Sequence[str]] = {
    "ranking": ("prefill",),
    "accuracy": ("k", "universe", "metric", "plots", *OF_RANKING),
    "fidelity": ("k", "universe", "metric", "plots", *OF_RANKING),
    "ttft": (
        "k",
        "universe",
        "metric",
        *OF_RANKING,
        "oracle",
        "compare",
        "bootstrap",
        "plots",
        "prefill.together",
        "store_rankings",
    ),
}


def unknown_setting(said: str) -> str | None:
    """A sentence for an argument that sets something which is not there; None where Hydra said something else.

    Args:
        said: Hydra's message.
    """
    found = REFUSED.match(said)
    if not found or found[1].startswith("hydra"):
        return None
    key = found[1]
    group, _, setting = key.partition(".")
    try:
        config = _refused_config(key, sys.argv[1:])
    except (HydraException, OmegaConfBaseException):  # it has a sentence of its own once this argument is right
        return None
    chosen = _chosen(config, group)
    parent, name = _deepest(config, key)
    there = [str(each) for each in OmegaConf.select(config, parent)] if parent else [str(each) for each in config]
    there = sorted(each for each in there if not each.startswith("_") and each != "hydra")
    holders = holders_of(group, setting) if chosen else []
    if holders:
        named = ", ".join(f"{group}={name}" for name in holders)
        have = "has" if len(holders) == 1 else "have"
        alike = difflib.get_close_matches(name, there, n=1, cutoff=ALIKE)
        guess = f"; did you mean {parent}.{alike[0]}?" if alike else ""
        return f"{key} is no setting of what is chosen, {group}={chosen}: {named} {have} it{guess}"
    if parent == group and (CONFIGS / group / f"{name}.yaml").is_file():
        return f"{key} is no setting: {group}={chosen} is chosen, and {group}={name} has none of this name"
    nearest = difflib.get_close_matches(name, there, n=1)
    guess = f"; did you mean {nearest[0]}?" if nearest else "."
    return f"{key} is not a setting{guess} There are: {', '.join(there) or 'none'}"


def holders_of(group: str, setting: str) -> list[str]:
    """The files of a group that have a setting.

    >>> holders_of("executor", "actors"), holders_of("heuristic", "claa.n")
    (['ray'], ['claa'])
    """
    found = []
    for file in sorted((CONFIGS / group).glob("*.yaml")):
        node: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
        node = node.get(group, node) if isinstance(node, Mapping) else {}
        for name in setting.split("."):
            node = node.get(name, ...) if isinstance(node, Mapping) else ...
        if node is not ...:
            found.append(file.stem)
    return found


def check_chosen(overrides: Iterable[str], config: DictConfig) -> None:
    """Raises ValueError for a setting of a heuristic that was not chosen, which ``+`` or an experiment puts into the config.

    Args:
        overrides: of the command.
        config: of the run.
    """
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        group, _, setting = override.key_or_group.partition(".")
        name, _, inner = setting.partition(".")
        node: Any = config.get(group) if group == "heuristic" and inner else None
        named: Any = node.get(name) if OmegaConf.is_dict(node) else None
        if OmegaConf.is_dict(named) and "_target_" not in named and (CONFIGS / group / f"{name}.yaml").is_file():
            chosen = ",".join(_with_target(node))
            raise ValueError(
                f"{override.key_or_group} is no setting of what is chosen, {group}=[{chosen}]: {group}={name} has it"
            )


def without_effect(overrides: Iterable[str], config: DictConfig, kind: str, idle: Collection[str] = ()) -> list[str]:
    """One line for each argument that changes nothing of the run.

    Args:
        overrides: of the command.
        config: of the run.
        kind: of its evaluation; of one that is not ours nothing is known.
        idle: settings of the evaluation that decide nothing with the metrics chosen.
    """
    keys = [each.key_or_group for each in OverridesParser.create().parse_overrides(list(overrides))]
    unused = [key for key in keys if any(f"{key}.".startswith(f"{each}.") for each in UNUSED.get(kind, ()))]
    notes = [f"note: {key} has no effect with evaluation={kind}" for key in dict.fromkeys(unused)]
    notes += [
        f"note: {key} has no effect with metric={','.join(config.metric)}"
        for key in dict.fromkeys(keys)
        if key.split(".")[0] in OF_SOME_METRICS & set(idle)
    ]
    engines = (re.match(r"prefill\.engine\.(\w+)\.", key) for key in keys if key not in unused)
    others = dict.fromkeys(found[1] for found in engines if found and found[1] not in ("any", *config.heuristic))
    return notes + [f"note: prefill.engine.{name} has no effect: heuristic={name} is not chosen" for name in others]


def _refused_config(key: str, arguments: Sequence[str]) -> DictConfig:
    """The config of the command's choices alone; of a sweep, that of the first combination without ``key``."""
    groups = "|".join(folder.name for folder in CONFIGS.iterdir() if folder.is_dir() and folder.name != "hydra")
    choices = [list(_choices(each)) for each in arguments if re.match(rf"\+?({groups})=", each)]
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONFIGS.resolve()), version_base="1.3"):
        for number, chosen in enumerate(product(*choices)):
            config = compose("run", list(chosen), return_hydra_config=True)
            if number == TRIED or _deepest(config, key) != (key, ""):
                break
    return config


def _choices(argument: str) -> Iterator[str]:
    override = OverridesParser.create().parse_override(argument)
    if not override.is_sweep_override():
        yield argument
        return
    for each in override.sweep_string_iterator():
        yield f"{override.get_key_element()}={each}"


def _deepest(config: DictConfig, key: str) -> tuple[str, str]:
    """The longest part of a setting's name that is a mapping of the config, and the name that it lacks: empty if it lacks none."""
    node: Any = config
    names = key.split(".")
    for place, name in enumerate(names):
        if not OmegaConf.is_dict(node) or name not in node:
            return ".".join(names[: place if OmegaConf.is_dict(node) else place - 1]), name
        node = node._get_node(name)
    return key, ""


def _chosen(config: DictConfig, group: str) -> str:
    """What is chosen of a group, as one types it; empty where it is no group."""
    node, choices = config.get(group), config.hydra.runtime.choices
    if not (CONFIGS / group).is_dir():
        return ""
    if not OmegaConf.is_dict(node) or "_target_" in node or group == "prefill":
        return str(choices.get(group))
    names = _with_target(node)
    return names[0] if len(names) == 1 else f"[{','.join(names)}]"


def _with_target(node: DictConfig) -> list[str]:
    return [str(name) for name, each in node.items() if OmegaConf.is_dict(each) and "_target_" in each]
