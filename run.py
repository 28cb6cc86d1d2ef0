"""Ranks prompts with heuristics and measures the rankings against what the answers really attended to.

    tokenrank heuristic=[claa,gemfilter] task=niah           (once installed; the same as python run.py)
    tokenrank -m heuristic=claa,gemfilter task.seed=1,2

Exit codes: 0 all prompts were measured; 1 some failed (samples.parquet says why, run.log with tracebacks); 2 bad input, found
before anything was written; 130 interrupted, 143 terminated: the same command goes on. With HYDRA_FULL_ERROR=1 the errors that end a run come with their traceback.
"""

import contextlib
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent / "src"))  # a checkout runs without being installed

try:
    import hydra
except ModuleNotFoundError as error:
    sys.exit(f"error: {error.name} is not installed: make install, then source .venv/bin/activate")
from hydra.conf import HydraConf
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from tokenrank.planning.bad_input import BadInput, one_sentence
from tokenrank.planning.composing import check_overrides, register
from tokenrank.planning.ending import RunFailed, Terminated, end, print_to_reader, terminate
from tokenrank.planning.folder_names import register_names
from tokenrank.planning.not_chosen import check_chosen, without_effect
from tokenrank.planning.path_arguments import with_paths
from tokenrank.planning.usage import asked_for
from tokenrank.records.messages import log, messages_to, messages_to_terminal
from tokenrank.records.run_folder import FolderRefused, RunFolder
from tokenrank.records.visible_text import say

if TYPE_CHECKING:  # imported where they are used: the first import of transformers takes seconds
    from tokenrank.evaluation.plan import Plan, Unit
    from tokenrank.report.loggers.logger import Logger
    from tokenrank.work.executor import Executor
    from tokenrank.work.resuming import Progress

CONFIGS = Path(__file__).parent / "configs"  # of the checkout, or of the installed package
TRACEBACKS = os.environ.get("HYDRA_FULL_ERROR") == "1"
os.environ["HYDRA_FULL_ERROR"] = "1"  # let errors through to us: Hydra ends with code 1 whatever they are
os.environ.setdefault("HF_HUB_VERBOSITY", "error")  # an unreachable hub is reported once, not once a retry
logging.getLogger("hydra").addHandler(logging.NullHandler())  # what it would log we say ourselves
register(CONFIGS)
register_names()


@hydra.main(version_base="1.3", config_path=str(CONFIGS), config_name="run")
def main(config: DictConfig) -> None:
    """One run: check everything, then measure what is not done yet, then tables, then pictures."""
    hydra_config = HydraConfig.get()
    sweep, overrides = hydra_config.mode == RunMode.MULTIRUN, " ".join(overrides_of(hydra_config))
    if sweep:
        print(f"\n{overrides}")
    try:
        run(config, RunFolder(Path(hydra_config.runtime.output_dir)))
    except (BadInput, RunFailed) as error:
        if sweep:
            say(f"{overrides}: {one_sentence(error)}")
            raise  # the other runs of a sweep go on; its exit code is that of the first error
        end(error, TRACEBACKS)


def run(config: DictConfig, folder: RunFolder) -> None:
    """Plan, work, collect, report; bad input leaves no folder behind."""
    messages_to_terminal()
    log.info("starting")  # transformers takes seconds to import
    from tokenrank.planning.same_settings import OtherSettings
    from tokenrank.work.estimating import NothingToEstimate, estimate
    from tokenrank.work.loading import NotLoaded

    try:
        plan, executor, logger = planned(config, folder)
        if config.estimate:
            print("\n".join(estimate(plan).lines()))
            return
        begin(plan, folder)
        with messages_to(folder.log):
            failed = carry_out(plan, executor, logger, folder)
    except (FolderRefused, OtherSettings, NotLoaded) as error:
        raise BadInput(one_sentence(error)) from error
    except NothingToEstimate as error:
        raise RunFailed(one_sentence(error)) from error
    except OSError as error:
        raise RunFailed(f"the run broke off: {error}; the same command goes on from there") from error
    except (BadInput, RunFailed):
        raise
    except Exception as error:
        own = f"an error of tokenrank's own, please report it with {folder.log}"
        raise RunFailed(f"{own}: {type(error).__name__}: {error}") from error
    if failed:
        raise RunFailed(
            f"{failed} of {len(plan.units)} prompts failed, wholly or in part; {folder.log} says why, and the same command tries them again"
        )


def planned(config: DictConfig, folder: RunFolder) -> "tuple[Plan, Executor, Logger]":
    """Checks everything that needs no weights."""
    from tokenrank.planning.building import build
    from tokenrank.planning.keys import not_in_keys
    from tokenrank.planning.making import make_plan
    from tokenrank.report.evaluation_report import EvaluationReport
    from tokenrank.report.loggers.logger import Logger
    from tokenrank.work.executor import Executor

    try:
        overrides = overrides_of(HydraConfig.get())
        check_overrides(overrides)
        check_chosen(overrides, config)
        logger: Logger = build(config.logger, "logger", Logger)
        executor: Executor = build(config.executor, "executor", Executor)
        if config.report_class is not None:  # it is used at the end; what is wrong with it is said now
            build(config.report_class, "report_class", EvaluationReport)
        plan = make_plan(config)
        executor.check(plan)
    except Exception as error:  # whatever it is: nothing was written yet, and the input is what is wrong
        raise BadInput(one_sentence(error)) from error
    finally:
        folder.leave()  # Hydra has made it
    idle = not_in_keys(plan.evaluation, plan.config.metric)
    for note in without_effect(overrides, plan.config, plan.evaluation.kind, idle):
        log.info(note)
    return plan, executor, logger


def begin(plan: "Plan", folder: RunFolder) -> None:
    """Begins the run in its folder, or finds that it goes on there."""
    from tokenrank.planning.replay import replayable
    from tokenrank.planning.same_settings import check_same_settings
    from tokenrank.work.environment import environment

    known = environment(plan)
    with folder.locked():
        if folder.begun and plan.config.overwrite:
            folder.remove_run()
        if folder.begun:
            check_same_settings(folder.config, plan.config)
        folder.begin(known, {unit.name: unit.key for unit in plan.units}, replayable(plan.config))


def overrides_of(hydra_config: HydraConf) -> list[str]:
    """The arguments of this run as they were typed: a reference in one to another setting is not followed."""
    typed: Any = OmegaConf.to_container(hydra_config.overrides.task, resolve=False)
    return [str(each) for each in typed]


def carry_out(plan: "Plan", executor: "Executor", logger: "Logger", folder: RunFolder) -> int:
    """Work, collect, report; returns how many prompts failed, wholly or in part. The traceback of what breaks it off goes to run.log."""
    from tokenrank.work.resuming import progress

    try:
        now = progress(plan, folder)
        if now.todo:
            if len(now.todo) < len(plan.own_units):
                had = len(plan.units) - len(now.missing)
                log.info("going on in %s: %d of %d units are done", folder.path, had, len(plan.units))
            work(plan, executor, now.todo, folder)
            now = progress(plan, folder)
        return finished(plan, now, logger, folder)
    except KeyboardInterrupt as error:
        if not folder.record_files():
            raise type(error) from None
        how = f"python -m tokenrank.collect {folder.path} makes tables of what there is"
        raise type(error)(f"{done(plan, folder)}; the same command goes on from there, and {how}") from None
    except Exception as error:
        log.debug("the run broke off", exc_info=error)  # to run.log alone: the sentence for the terminal follows
        raise


def work(plan: "Plan", executor: "Executor", todo: "Sequence[Unit]", folder: RunFolder) -> None:
    """Measures units; if the model cannot be loaded and nothing was measured before, no folder stays behind."""
    from tokenrank.work.loading import NotLoaded

    folder.remove_tables()
    try:
        executor.run(plan, todo, folder)
    except (NotLoaded, KeyboardInterrupt):
        if not folder.record_files():  # else nothing is removed, and another process may hold the folder for minutes
            with folder.locked():
                folder.discard()
        raise


def finished(plan: "Plan", now: "Progress", logger: "Logger", folder: RunFolder) -> int:
    """Collects and draws, once all units are done, unless another process has; else says which are not. Returns how many failed."""
    from tokenrank.planning.display import show_as, shows_the_same
    from tokenrank.planning.naming import names_of
    from tokenrank.report.report import printed
    from tokenrank.report.rows.loaded_run import load_run
    from tokenrank.report.whole import write_report
    from tokenrank.work.collecting import collect
    from tokenrank.work.resuming import tables_are_current

    if now.missing:
        print(f"shard {plan.shard.number} of {plan.shard.of} is done; {done(plan, folder)}")
        print(f"the last shard makes the tables; python -m tokenrank.collect {folder.path} makes them of what there is")
        return now.failed
    with folder.locked():
        current = not folder.half_drawn and tables_are_current(plan, folder)
        lacking = current and shows_the_same(folder, plan.config)  # else all is drawn and written
        with contextlib.nullcontext() if lacking else folder.drawing():
            failures = [] if current else collect(folder, plan.evaluation)
            show_as(folder, plan.config)
            loaded = load_run(folder)
            log.info("drawing the pictures")
            failures += write_report(loaded, lacking=lacking)
        for line in failures:
            log.warning(line)
        print(printed(loaded))
    if current:
        print(f"{done(plan, folder)} already; tables and plots in {folder.path}, overwrite=true starts anew")
    else:
        print(f"tables and plots in {folder.path}")
    if folder.page.exists():
        print(f"all of it on one page: {folder.page}")
    logger.mirror(folder, names_of(plan, folder.path, HydraConfig.get()))  # once, unless the tables are others
    return now.failed


def done(plan: "Plan", folder: RunFolder) -> str:
    """How many units have a record."""
    records = {file.stem for file in folder.record_files()}
    return f"{sum(unit.name in records for unit in plan.units)} of {len(plan.units)} units are done"


def command() -> None:
    """The command ``tokenrank``, which is ``python run.py``."""
    shown = asked_for(sys.argv[1:])
    if shown is not None:
        print_to_reader(shown)
        return
    before = signal.signal(signal.SIGTERM, terminate)
    try:
        sys.argv[1:] = with_paths(sys.argv[1:])
        main()
    except Exception as error:  # what is neither of ours comes from composing the config: the input is what is wrong
        no_folder = isinstance(error, OSError) and error.filename is not None  # Hydra makes the run folder
        end(BadInput(f"hydra.run.dir cannot be made: {error}") if no_folder else error, TRACEBACKS)
    except KeyboardInterrupt as error:
        say(f"interrupted: {str(error) or 'nothing was measured'}")
        sys.exit(143 if isinstance(error, Terminated) else 130)
    finally:
        signal.signal(signal.SIGTERM, before)


if __name__ == "__main__":
    command()
