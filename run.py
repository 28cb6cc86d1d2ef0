"""Ranks prompts with heuristics and compares the rankings with what the answers attended to.

    tokenrank heuristic=[claa,gemfilter] task=niah           (once installed; the same as python run.py)
    tokenrank -m heuristic=claa,gemfilter task.seed=1,2

Exit codes: 0 all prompts were measured; 1 some failed (samples.parquet says why, run.log with tracebacks); 2 bad input, found
before anything was written; 130 interrupted. With HYDRA_FULL_ERROR=1 the errors that end a run are shown with their traceback.
"""

import logging
import os
import sys
from pathlib import Path
from typing import NoReturn

sys.path.insert(0, str(Path(__file__).parent / "src"))  # a checkout runs without being installed

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from tokenrank.planning.bad_input import BadInput, one_sentence
from tokenrank.planning.composing import register
from tokenrank.records.messages import log, messages_to, messages_to_terminal
from tokenrank.records.run_folder import FolderRefused, RunFolder

CONFIGS = Path(__file__).parent / "configs"  # of the checkout, or of the installed package
TRACEBACKS = os.environ.get("HYDRA_FULL_ERROR") == "1"
os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises errors; else it ends with code 1 for all of them
os.environ.setdefault("HF_HUB_VERBOSITY", "error")  # an unreachable hub is reported once, not once a retry
logging.getLogger("hydra").addHandler(logging.NullHandler())  # its errors are reported below
register(CONFIGS)


class RunFailed(Exception):
    """Some prompts could not be measured (the others were, and are recorded), or nothing more could be written."""


@hydra.main(version_base="1.3", config_path=str(CONFIGS), config_name="run")
def main(config: DictConfig) -> None:
    """One run: check everything, then measure, then tables, then plots."""
    sweep = HydraConfig.get().mode == RunMode.MULTIRUN
    if sweep:
        print(f"\n{' '.join(HydraConfig.get().overrides.task)}")
    try:
        run(config, RunFolder(Path(HydraConfig.get().runtime.output_dir)))
    except (BadInput, RunFailed) as error:
        if sweep:
            print(f"{' '.join(HydraConfig.get().overrides.task)}: {one_sentence(error)}", file=sys.stderr)
            raise  # the other runs of a sweep go on; its exit code is that of the first error
        end(error)
    except Exception as error:
        raise RunFailed(f"an error of tokenrank's own, please report it: {type(error).__name__}: {error}") from error


def run(config: DictConfig, folder: RunFolder) -> None:
    """Plan, work, collect, report; bad input leaves no folder behind."""
    messages_to_terminal()
    log.info("starting")  # transformers takes seconds to import
    from tokenrank.planning.building import build
    from tokenrank.planning.making import make_plan
    from tokenrank.planning.naming import names_of
    from tokenrank.planning.replay import replayable
    from tokenrank.report.evaluation_report import EvaluationReport
    from tokenrank.report.logger import Logger
    from tokenrank.report.report import draw, printed
    from tokenrank.work.collecting import collect
    from tokenrank.work.environment import environment
    from tokenrank.work.loading import load_model
    from tokenrank.work.loop import work

    try:
        with folder.locked():
            try:
                logger: Logger = build(config.logger, "logger", Logger)
                if config.get("report") is not None:  # it is used at the end; what is wrong with it is said now
                    build(config.report, "report", EvaluationReport)
                plan = make_plan(config)
                model = load_model(plan)
            except Exception as error:  # any error of planning and loading is bad input; nothing was written
                raise BadInput(one_sentence(error)) from error
            units = {"units": [unit.name for unit in plan.units]}
            folder.begin(environment(model.device, config.seed) | units, replayable(plan.config))
            with messages_to(folder.log):
                work(plan, model, folder)
                folder.write_tables(collect(plan.evaluation, folder.records()))
                log.info("drawing the plots")
                for failure in draw(folder):
                    log.warning(failure)
                print(printed(folder))
                logger.mirror(folder, names_of(plan, folder.path, HydraConfig.get()))
    except FolderRefused as error:
        raise BadInput(one_sentence(error)) from error
    except OSError as error:
        raise RunFailed(f"the run ended early: {error}") from error
    failed = int((folder.tables().samples["status"] != "ok").sum())
    if failed:
        raise RunFailed(f"{failed} of {len(plan.units)} prompts failed; {folder.log} says why")


def end(error: BaseException) -> NoReturn:
    """Prints the error and ends the process with its exit code."""
    if TRACEBACKS:
        raise error
    print(f"error: {one_sentence(error)}", file=sys.stderr)
    sys.exit(1 if isinstance(error, RunFailed) else 2)


def command() -> None:
    """The command ``tokenrank``, which is ``python run.py``."""
    try:
        main()
    except Exception as error:  # any other error comes from composing the config, so the input is wrong
        end(error)
    except KeyboardInterrupt:
        print(
            "interrupted: what was measured is in the run folder; scripts/collect.py FOLDER makes its tables",
            file=sys.stderr,
        )
        sys.exit(130)


if __name__ == "__main__":
    command()
