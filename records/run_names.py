"""Group, job type, name and id of a run in experiment trackers."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Names:
    """What an experiment tracker calls a run."""

    group: str | None  # the sweep, else the experiment
    job_type: str  # the evaluation
    name: str  # heuristic-model-task
    id: str  # hash of the config: the same config has the same one
