"""What evaluation=accuracy says below its table: prompts answered, graded and failed, counted by hand."""

import json
from pathlib import Path

import pandas as pd

from tests.command import Command
from tokenrank.records.measures import OF_ANSWER


def test_the_closing_sentences_agree_on_what_was_answered_graded_and_failed(
    tokenrank: Command, tmp_path: Path, no_pictures: None
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    rows = [(300, ["a"]), (310, ["b"]), (320, []), (340, ["a"]), (330, []), (350, ["b"])]  # tokens, references
    text = "Ada wrote it. " * 40
    lines = [
        {"input": "Who?", "context": text[: n - 5], "answers": answers, "all_classes": None} for n, answers in rows
    ]
    (data / "qasper.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (data / "dataset2prompt.json").write_text('{"qasper": "{context} {input}"}')
    (data / "dataset2maxlen.json").write_text('{"qasper": 2}')
    ended = tokenrank(
        "evaluation=accuracy", "model=tiny", "task=longbench", f"task.path={data}", "task.subset=[qasper]",
        "task.chat_template=false", "prefill.keep=[20]", "heuristic=claa", "+heuristic.fails._target_=tests.doubles.Fails",
        "bootstrap.resamples=50",
    )  # fmt: skip
    assert ended.code == 1
    printed = ended.out.splitlines()
    assert (
        "means are over the 5 of 6 prompts that every contestant answered at every keep rate "
        "accuracy is over 3 of these 5 prompts: the others have no reference answer, or no metric for their task "
        "5 prompts answered by every contestant, 1 not tables and plots in"
    ) in " ".join(ended.out.split())
    assert ended.err.splitlines()[-1].startswith("error: 1 of 6 prompts failed, wholly or in part; ")
    first = printed[: next(place for place, line in enumerate(printed) if line.startswith("what the answer loses"))]
    answered = {line.split()[0]: line.split()[2] for line in first if line.startswith(("full", "claa", "fails"))}
    assert answered == {"full": "6", "claa": "6", "fails": "5"}
    summary = pd.read_parquet(tmp_path / "run" / "summary.parquet")
    means = summary[summary["against"].isna() & (summary["statistic"] == "mean")]
    assert means.groupby("metric")["prompts"].agg(set).to_dict() == {
        "accuracy": {3},
        "flops": {5},
        "flops_ratio": {5},
        "kv_bytes": {5},
        "kv_ratio": {5},
        **{name: {5} for name in OF_ANSWER},
        **{f"reference_{name}": {3} for name in OF_ANSWER},
    }
