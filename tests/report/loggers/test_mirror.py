"""Every tracker: all that it writes is searched for a text of the run, which it may hold only if texts were asked for."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.report.mirror_examples import NAMES, OURS, holds, made_up
from tokenrank.report.loggers.trackers import TensorBoard, Tracker, Trackio, WandB

TRACKERS: list[tuple[type[Tracker], dict[str, Any]]] = [(WandB, {"offline": True}), (TensorBoard, {}), (Trackio, {})]


@pytest.mark.parametrize(("tracker", "settings"), TRACKERS, ids=[kind.__name__ for kind, _ in TRACKERS])
def test_texts_stay_here_unless_they_are_asked_for(
    tracker: type[Tracker], settings: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if find_spec(tracker.package) is None:
        pytest.skip(f"{tracker.package} is not installed (docs/logging.md)")
    for texts in (False, True):
        run = made_up(tmp_path / str(texts))
        logger = tracker(texts=texts, **settings)
        logger.mirror(run, NAMES)
        out, err = capsys.readouterr()
        assert (out.count("\n"), err) == (1, "")
        written = logger.home(run)
        assert holds(written, "recall")  # a metric: the search reads what the tracker writes
        assert holds(written, OURS) == texts
        assert OURS not in out


def test_the_search_reads_what_is_compressed(tmp_path: Path) -> None:
    assert not holds(made_up(tmp_path / "run").path / "plots", OURS)
    run = tmp_path / "run"
    for file in (run / "report.html", run / "config.yaml", run / "run.log"):
        file.unlink()
    assert OURS.encode() not in b"".join(file.read_bytes() for file in run.glob("m*.parquet"))
    assert holds(run, OURS)
