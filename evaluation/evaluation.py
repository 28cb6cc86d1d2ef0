"""What every evaluation is: it refuses what it cannot measure before anything is written, then fills a run folder."""

from abc import ABC, abstractmethod
from pathlib import Path

from tokenrank.evaluation.preparation import Experiment


class Evaluation(ABC):
    """What a run measures. Its fields are its config."""

    def check(self, experiment: Experiment) -> None:  # noqa: B027 - preparation has checked what most need
        """Raises ValueError, with one sentence, if this experiment cannot be measured."""

    @abstractmethod
    def run(self, experiment: Experiment, folder: Path) -> int:
        """Runs all prompts and fills the run folder (see results/README.md).

        What fails is recorded with its reason and the run goes on.

        Returns:
            How many prompts failed, wholly or in part.
        """
