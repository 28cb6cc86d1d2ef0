"""Makes the tables and plots of a run folder from its records, also of a run that was killed.

    python scripts/collect.py FOLDER

Nothing is measured again. Exit codes: 0; 2 for what is no run folder, or while a run is writing into it.
"""

import sys
from pathlib import Path

from omegaconf import OmegaConf

from tokenrank.evaluation.evaluation import Evaluation
from tokenrank.planning.building import build
from tokenrank.records.messages import log, messages_to_terminal
from tokenrank.records.run_folder import RunFolder
from tokenrank.report.report import draw, printed
from tokenrank.work.collecting import collect


def main(path: Path) -> None:
    """Collects, draws and prints one folder.

    Raises:
        ValueError: it is no run folder, or a record is damaged.
    """
    folder = RunFolder(path)
    folder.environment()
    with folder.locked():
        evaluation: Evaluation = build(OmegaConf.load(folder.config).evaluation, "evaluation", Evaluation)
        folder.write_tables(collect(evaluation, folder.records()))
        for failure in draw(folder):
            log.warning(failure)
        print(printed(folder))


if __name__ == "__main__":
    messages_to_terminal()
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        main(Path(sys.argv[1]).expanduser())
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
