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
  sweep:
    dir: results/${now:%Y-%m-%d_%H-%M-%S.%f}_sweep
    subdir: ${hydra.job.num}_${short_hash:${hydra.job.override_dirname}}
"""


def replayable(config: DictConfig) -> str:
    """The resolved config as YAML, with the entries ``defaults`` and ``hydra`` that Hydra needs; tokenrank ignores them."""
    return HEAD + OmegaConf.to_yaml(config, resolve=True)
