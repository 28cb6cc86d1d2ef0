"""Ranks prompts with heuristics and holds the rankings against what the answers really attended to.

    python run.py heuristic=[claa,gemfilter] task=niah
    python run.py -m heuristic=claa,gemfilter task.seed=1,2

Exit codes: 0 all prompts were ranked; 1 some failed (samples.parquet says why); 2 bad input, nothing was written.
"""

import os
import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from evaluation.bad_input import BadInput, one_sentence
from evaluation.composing import register

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
wants_tracebacks = "HYDRA_FULL_ERROR" in os.environ
os.environ["HYDRA_FULL_ERROR"] = "1"  # let errors through to us: Hydra would end with code 1 for every kind
register(Path(__file__).parent / "configs")


class PromptsFailed(Exception):
    """Some prompts could not be ranked; the others were, and are recorded."""


@hydra.main(version_base="1.3", config_path="configs", config_name="run")
def main(config: DictConfig) -> None:
    """One run: check everything, then measure, then write."""
    from evaluation.preparation import prepare  # after the config was composed: transformers takes seconds to import

    folder = Path(HydraConfig.get().runtime.output_dir)
    try:
        experiment = prepare(config)
    except (ValueError, TypeError, OSError, HydraException, OmegaConfBaseException) as error:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
        raise BadInput(one_sentence(error)) from error
    failed = hydra.utils.instantiate(config.evaluation)(experiment, folder)
    if failed:
        raise PromptsFailed(f"{failed} of {len(experiment.prompts)} prompts failed; {folder}/samples.parquet says why")


if __name__ == "__main__":
    try:
        main()
    except PromptsFailed as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    except (BadInput, HydraException, OmegaConfBaseException, OSError) as error:
        if wants_tracebacks:
            raise
        print(f"error: {one_sentence(error)}", file=sys.stderr)
        sys.exit(2)
