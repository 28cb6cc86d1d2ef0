"""evaluation=accuracy of own prompts: a csv file, answers graded as the user chose, grades checked by hand."""

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.command import Command, refused

TEXTS = ("What is in the box that stands beside the door?", "Who came in by the window of the other room?")
SHORT = ("model=tiny", "task=prompts", "task.max_new_tokens=6", "task.chat_template=true")


def prompts_file(folder: Path, answers: list[list[str]]) -> str:
    table = pd.DataFrame({"prompt": TEXTS, "answers": [json.dumps(each) for each in answers]})
    table.to_csv(folder / "mine.csv.gz", index=False)
    return f"task.path={folder / 'mine.csv.gz'}"


def test_answers_are_graded_in_a_whole_run(tokenrank: Command, tmp_path: Path, no_pictures: None) -> None:
    """The first prompt's right answer is what the model says to it, the second's is nothing that it says."""
    first = tokenrank(*SHORT, prompts_file(tmp_path, [[], []]), "metric=recall", f"hydra.run.dir={tmp_path / 'before'}")
    assert first.code == 0, first.err
    said = pd.read_parquet(tmp_path / "before" / "samples.parquet").set_index("id")["answer"]
    right = said["1"].strip()
    assert list(said.index) == ["1", "2"]
    assert right

    path = prompts_file(tmp_path, [["never said by it", right.upper()], ["never said by it"]])
    ended = tokenrank(*SHORT, path, "evaluation=accuracy", "heuristic=claa", "prefill.keep=[40]", "task.score=contains")
    assert ended.code == 0, ended.err
    runs = pd.read_parquet(tmp_path / "run" / "runs.parquet")
    assert len(runs) == 2 * 4  # full, claa, its bound and its control
    pairs = zip(runs["sample"], runs["answer"].str.lower(), strict=True)
    wanted = [float(sample == "1" and right.lower() in answer) for sample, answer in pairs]
    assert list(runs["accuracy"]) == wanted
    full = runs[runs["heuristic"].isna()].set_index("sample")["accuracy"]
    assert dict(full) == {"1": 1.0, "2": 0.0}
    summary = pd.read_parquet(tmp_path / "run" / "summary.parquet")
    whole = summary[
        (summary["metric"] == "accuracy") & (summary["engine"] == "full") & (summary["statistic"] == "mean")
    ]
    assert set(whole["value"]) == {0.5}
    assert set(runs["task"]) == {"prompts/contains"}


@pytest.mark.parametrize("score", ["null", "contains"])
def test_accuracy_needs_a_score(tokenrank: Command, tmp_path: Path, score: str) -> None:
    """With one, the file must have answers."""
    given = (*SHORT, prompts_file(tmp_path, [[], []]), "evaluation=accuracy", f"task.score={score}")
    said = "prompts with task.score=contains" if score == "null" else "has no answers to grade by"
    refused(tokenrank(*given), said, tmp_path)
