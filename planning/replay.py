"""The config of a run as a file that repeats it."""

from omegaconf import DictConfig, OmegaConf

FOR_HYDRA = ("defaults", "hydra")  # entries of config.yaml that are no settings
HEAD = """\
# tokenrank --config-dir THIS_FOLDER --config-name config repeats this run.
defaults:
- _self_
- override hydra/job_logging: none
- override hydra/hydra_logging: none
hydra:
  output_subdir: null
  run:
    dir: results/${run_name:}
  sweep:
    dir: results/${sweep_name:${swept:}}
    subdir: ${point_name:${swept:}}
"""


def replayable(config: DictConfig) -> str:
    """The resolved config as YAML, with the entries ``defaults`` and ``hydra`` that Hydra needs; tokenrank ignores them."""
    own = config.copy()
    OmegaConf.set_struct(own, False)
    own.shard, own.overwrite, own.estimate = None, False, False  # of one command; the run is all shards together
    return HEAD + OmegaConf.to_yaml(own, resolve=True)
