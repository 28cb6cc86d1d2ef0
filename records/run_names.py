"""What a run is called in experiment trackers."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Names:
    """What a run is called elsewhere, by convention, so that runs find their like."""

    group: str | None  # the sweep, else the experiment
    job_type: str  # the evaluation
    name: str  # heuristic-model-task
    id: str  # hash of the config: the same config has the same one
