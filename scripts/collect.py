"""Makes the tables and pictures of a run folder from its records, of a run that was killed half-way too, and prints its table.

    python scripts/collect.py RUN_FOLDER           (installed: python -m tokenrank.collect RUN_FOLDER)

Nothing is measured again. Exit codes: 0; 1 if a picture failed or a record cannot be read, which is named and left out; 2 for what is no run folder, or while a run is writing into it.
"""

import sys
from pathlib import Path

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from tokenrank.evaluation.evaluation import Evaluation
from tokenrank.planning.building import build
from tokenrank.records.messages import log, messages_to_terminal
from tokenrank.records.run_folder import RunFolder
from tokenrank.report.report import draw, printed
from tokenrank.work.collecting import collect


def main(path: Path) -> int:
    """Collects, draws and prints one folder; returns the exit code."""
    folder = RunFolder(path)
    try:
        folder.environment()  # refuses what is no run folder
        with folder.locked():
            failures = collect(folder, _evaluation(folder)) + draw(folder)
            print(printed(folder))
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for failure in failures:
        log.warning("warning: %s", failure)
    print(f"tables and plots in {folder.path}")
    return 1 if failures else 0


def _evaluation(folder: RunFolder) -> Evaluation:
    try:
        node = OmegaConf.load(folder.config).evaluation
        return build(node, "evaluation", Evaluation)  # type: ignore[no-any-return]
    except (OSError, YAMLError, OmegaConfBaseException, AttributeError) as error:
        raise ValueError(f"{folder.config} cannot be read: {' '.join(str(error).split())}") from error


def command(arguments: list[str]) -> int:
    """``RUN_FOLDER``."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    messages_to_terminal()
    return main(Path(arguments[0]).expanduser())


if __name__ == "__main__":
    sys.exit(command(sys.argv[1:]))
