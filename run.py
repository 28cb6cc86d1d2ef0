"""Ranks prompts with heuristics and holds the rankings against what the answers really attended to.

    tokenrank heuristic=[claa,gemfilter] task=niah           (once installed; the same as python run.py)
    tokenrank -m heuristic=claa,gemfilter task.seed=1,2

Exit codes: 0 all prompts were ranked; 1 some failed (samples.parquet says why); 2 bad input, found before anything was
written. With HYDRA_FULL_ERROR=1 the errors that end a run come with their traceback.
"""

import logging
import os
import sys
from pathlib import Path
from typing import NoReturn

sys.path.insert(0, str(Path(__file__).parent / "src"))  # a checkout runs without being installed

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from tokenrank.evaluation.bad_input import BadInput, one_sentence
from tokenrank.evaluation.composing import register
from tokenrank.report.logger import Logger

TRACEBACKS = os.environ.get("HYDRA_FULL_ERROR") == "1"
os.environ["HYDRA_FULL_ERROR"] = "1"  # let errors through to us: Hydra ends with code 1 whatever they are
os.environ.setdefault("HF_HUB_VERBOSITY", "error")  # an unreachable hub is reported once, not once a retry
logging.getLogger("hydra").addHandler(logging.NullHandler())  # what it would log we say ourselves
CONFIGS = Path(__file__).parent / "configs"  # of the checkout, or of the installed package
register(CONFIGS)


class RunFailed(Exception):
    """Some prompts could not be ranked (the others were, and are recorded), or nothing more could be written."""


@hydra.main(version_base="1.3", config_path=str(CONFIGS), config_name="run")
def main(config: DictConfig) -> None:
    """One run: check everything, then measure, then write."""
    try:
        run(config, Path(HydraConfig.get().runtime.output_dir))
    except (BadInput, RunFailed) as error:
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            print(f"{' '.join(HydraConfig.get().overrides.task)}: {one_sentence(error)}", file=sys.stderr)
            raise  # the other runs of a sweep go on; its exit code is that of the first error
        end(error)


def run(config: DictConfig, folder: Path) -> None:
    """Measures what the config says, fills the folder and has it copied; bad input leaves no folder behind."""
    from tokenrank.evaluation.building import build
    from tokenrank.evaluation.evaluation import Evaluation
    from tokenrank.evaluation.naming import names_of
    from tokenrank.evaluation.preparation import prepare  # only now, as transformers takes seconds to import

    if not os.access(folder, os.W_OK):
        raise BadInput(f"hydra.run.dir={folder} cannot be written")
    try:
        logger: Logger = build(config.logger, "logger")
        evaluation: Evaluation = build(config.evaluation, "evaluation")
        experiment = prepare(config)
        evaluation.check(experiment)
    except (ValueError, TypeError, OSError, HydraException, OmegaConfBaseException) as error:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
        raise BadInput(one_sentence(error)) from error
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        print(f"\n{' '.join(HydraConfig.get().overrides.task)}")
    try:
        failed = evaluation.run(experiment, folder)
    except OSError as error:
        raise RunFailed(f"the run broke off: {error}") from error
    logger.mirror(folder, names_of(experiment, folder, HydraConfig.get()), config.plots.k)
    if failed:
        raise RunFailed(f"{failed} of {len(experiment.prompts)} prompts failed; the tables in {folder} say why")


def end(error: Exception) -> NoReturn:
    """Says what was wrong and ends the process with the code for it."""
    if TRACEBACKS:
        raise error
    print(f"error: {one_sentence(error)}", file=sys.stderr)
    sys.exit(1 if isinstance(error, RunFailed) else 2)


def command() -> None:
    """The command ``tokenrank``, which is ``python run.py``."""
    try:
        main()
    except (BadInput, RunFailed, HydraException, OmegaConfBaseException, OSError) as error:
        end(error)


if __name__ == "__main__":
    command()
