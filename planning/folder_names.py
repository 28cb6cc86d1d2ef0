"""Names of run folders: what is run, and a hash of its settings, so that the same command finds its folder again."""

import re
import sys
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from tokenrank.planning.composing import short_hash
from tokenrank.records.digests import digest

# settings that change no table: how a run is carried out, copied and drawn
OPERATIONAL = (
    "store", "store_rankings", "executor", "shard", "threads", "overwrite", "estimate", "logger", "plots", "report",
    "report_class",
)  # fmt: skip
NOT_SETTINGS = ("hydra", "defaults", "experiment")
SHOWN, LONGEST = 4, 80  # heuristics that a name spells out; characters of a name without its hash


def register_names() -> None:
    """Defines the resolvers of ``hydra.run.dir``, ``hydra.sweep.dir`` and ``hydra.sweep.subdir``."""
    OmegaConf.register_new_resolver("run_name", _run_name, replace=True)
    OmegaConf.register_new_resolver(
        "sweep_name", sweep_name, replace=True, use_cache=True
    )  # jobs of a launcher have other arguments
    OmegaConf.register_new_resolver("point_name", _point_name, replace=True)
    OmegaConf.register_new_resolver("swept", _swept, replace=True, use_cache=True)  # as the command has it, in all jobs


def settings_of(config: DictConfig) -> dict[str, Any]:
    """All settings that decide a run's tables, with every reference resolved."""
    names = [str(name) for name in config if name not in (*OPERATIONAL, *NOT_SETTINGS)]
    plain: Any = OmegaConf.to_container(OmegaConf.masked_copy(config, names), resolve=True)
    return dict(plain)


def run_name(settings: dict[str, Any]) -> str:
    """Evaluation, heuristics, model and task of a run, and a hash of its settings.

    >>> claa = {"_target_": "tokenrank.heuristics.claa.CLAA"}
    >>> task = {"_target_": "tokenrank.tasks.niah.NIAH"}
    >>> model = {"_target_": "tokenrank.models.tiny.Tiny", "name": None, "path": ""}
    >>> evaluation = {"_target_": "tokenrank.evaluation.ranking.RankingAgreement"}
    >>> run_name({"heuristic": {"claa": claa}, "task": task, "model": model, "evaluation": evaluation})
    'ranking_claa_tiny_niah_40f7f20e'
    """
    heuristics = [str(name) for name in settings["heuristic"]]
    shown = "+".join(heuristics) if len(heuristics) <= SHOWN else f"{len(heuristics)}-heuristics"
    model = settings["model"]
    named = model.get("name") or str(model.get("path") or "").rstrip("/").rpartition("/")[2] or _module(model)
    return f"{_plain('_'.join((_module(settings['evaluation']), shown, str(named), _module(settings['task']))))}_{_hash(settings)}"


def sweep_name(swept: str) -> str:
    """The folder of a sweep: the settings that it varies, and a hash of its command, without what changes no table.

    A sweep over nothing but shards, for example, has no folder of its own: all its jobs share a run folder.
    """
    keys = [key for key in swept.split(",") if key and not _is_operational(key)]
    if not keys:
        return "."
    given = (each for each in sys.argv[1:] if re.match(r"[+~]*[\w./@]+=?", each))
    command = sorted(each for each in given if not _is_operational(each))
    said = "+".join(".".join(key.split(".")[-2:]) for key in keys)
    return f"sweep_{_plain(said)}_{short_hash(' '.join(command))}"


def _run_name(*, _root_: DictConfig) -> str:
    try:
        return run_name(settings_of(_root_))
    except Exception:  # the settings are wrong: planning says how, and the folder is removed again
        return "unplanned"


def _point_name(swept: str, *, _root_: DictConfig) -> str:
    """The folder of one job of a sweep: the values of what is varied, and a hash of all settings."""
    keys = [key for key in swept.split(",") if key and not _is_operational(key)]
    if not keys:
        return _run_name(_root_=_root_)
    try:
        own = [str(each).lstrip("+") for each in _root_.hydra.overrides.task]
        values = [each for key in keys for each in own if each.startswith(f"{key}=")]
        said = "_".join(
            ".".join(each.partition("=")[0].split(".")[-2:]) + "=" + each.partition("=")[2] for each in values
        )
        return f"{_plain(said)}_{_hash(settings_of(_root_))}"
    except Exception:  # as above
        return f"unplanned_{_root_.hydra.job.num}"


def _is_operational(override: str) -> bool:
    """Whether a setting, with its value or without, changes no table; one of Hydra's own changes none.

    >>> [_is_operational(each) for each in ("shard=1/2", "plots.k", "+executor.processes=2", "hydra/launcher=slurm", "seed=0")]
    [True, True, True, True, False]
    """
    return re.split(r"[./=@]", override.lstrip("+~"), maxsplit=1)[0] in (*OPERATIONAL, "hydra")


def _swept() -> str:
    """Names of the settings that the command varies, with commas between them."""
    given = [each for each in sys.argv[1:] if not each.startswith("-") and "=" in each]
    found = []
    for each in given:
        try:
            override = OverridesParser.create().parse_override(each)
        except HydraException:
            continue  # the value of an option, such as a folder with = in its name
        if override.is_sweep_override():
            found.append(override.key_or_group)
    return ",".join(found)


def _module(node: dict[str, Any]) -> str:
    """``niah`` of a node whose target is ``tokenrank.tasks.niah.NIAH``."""
    return str(node["_target_"]).split(".")[-2]


def _plain(text: str) -> str:
    """The text in characters that no file system or shell minds."""
    return re.sub(r"[^\w.=+-]+", "-", text)[:LONGEST].strip("-")


def _hash(settings: dict[str, Any]) -> str:
    return digest(settings)[:8]
