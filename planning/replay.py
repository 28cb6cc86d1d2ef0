"""The config of a run as a file that repeats it."""

from omegaconf import DictConfig, OmegaConf

HEAD = """\
# tokenrank --config-dir THIS_FOLDER --config-name config repeats this run.
defaults:
- _self_
- override hydra/job_logging: none
- override hydra/hydra_logging: none
hydra:
  output_subdir: null
  run:
    dir: results/${now:%Y-%m-%d_%H-%M-%S}_${run_id:}
"""


def replayable(config: DictConfig) -> str:
    """The resolved config as YAML, with what Hydra needs to take it for a primary config; readers ignore those two entries."""
    return HEAD + OmegaConf.to_yaml(config, resolve=True)
