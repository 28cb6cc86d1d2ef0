"""Seconds of each truth as prefills: one line each, and an exit status by the limits."""

from typing import Any

import pytest

from scripts import bench_truths
from scripts.bench_truths import main, within

SMALL = ["model=tiny", "tokens=300", "repeats=1", "answer_tokens=4", "chunk=32"]


def test_each_truth_has_a_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["bench_truths.py", *SMALL])
    monkeypatch.setattr(bench_truths, "LIMITS", {"gradient": 1e6})
    main()
    said = capsys.readouterr().out
    assert "tiny on cpu" in said
    assert "300 tokens, 4 answer tokens" in said
    assert [line.split()[0] for line in said.splitlines()[2:]] == ["attention", "ablation", "gradient", "regression"]
    monkeypatch.setattr(bench_truths, "LIMITS", {"attention": 0.0})
    monkeypatch.setattr("sys.argv", ["bench_truths.py", *SMALL, "truths=attention,gradient"])
    with pytest.raises(SystemExit, match="above the limit: attention"):
        main()


@pytest.mark.parametrize(("limit", "kept"), [(2.0, True), (1.9, False), (None, True)])
def test_the_median_of_neighbours_decides(
    limit: float | None, kept: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    limits: dict[str, Any] = {} if limit is None else {"gradient": limit}
    monkeypatch.setattr(bench_truths, "LIMITS", limits)
    assert within("gradient", [(1.0, 2.0), (2.0, 8.0), (4.0, 2.0)]) is kept
    assert "2.000 (0.500 - 4.000)" in capsys.readouterr().out


def test_without_settings_of_the_form_name_value_it_says_how_it_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["bench_truths.py", "help"])
    with pytest.raises(SystemExit, match="Time of each truth as a number of prefills"):
        main()
