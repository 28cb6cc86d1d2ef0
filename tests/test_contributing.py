"""Follows CONTRIBUTING.md to the letter: its three files, but outside of the repository."""

import re
from pathlib import Path

import pandas as pd
import pytest

from tests.command import ROOT, Command

SMALL = ("model=tiny", "task.lengths=[300]", "task.depths=[50]", "task.max_new_tokens=4", "metric=[recall]")


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, str]:
    """The folder with the recipe's class and config, and the text of its test."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    code, test = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (config,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    folder = tmp_path / "my"
    (folder / "heuristic").mkdir(parents=True)
    (folder / "my_peak.py").write_text(code)
    (folder / "heuristic" / "peak.yaml").write_text(config.replace("tokenrank.heuristics.peak.Peak", "my_peak.Peak"))
    monkeypatch.syspath_prepend(str(folder))
    return folder, test.replace("from tokenrank.heuristics.peak import", "from my_peak import")


def test_the_heuristic_of_the_recipe_runs_beside_ours(
    tokenrank: Command, tmp_path: Path, recipe: tuple[Path, str]
) -> None:
    ended = tokenrank("--config-dir", str(recipe[0]), *SMALL, "heuristic=[peak,claa]")
    assert ended.code == 0, ended.err
    table = pd.read_parquet(tmp_path / "run" / "metrics.parquet")
    assert set(table["heuristic"].dropna()) == {"peak", "claa"}
    assert table.loc[table["heuristic"] == "peak", "value"].std() > 0


def test_the_test_of_the_recipe_passes_and_would_fail_for_other_scores(
    recipe: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names: dict[str, object] = {}
    exec(compile(recipe[1], "test_peak.py", "exec"), names)  # noqa: S102
    (test,) = (value for name, value in names.items() if name.startswith("test_"))
    test()  # type: ignore[operator]
    monkeypatch.setattr("my_peak.smooth", lambda scores, kernel: scores * 1.01)
    with pytest.raises(AssertionError):
        test()  # type: ignore[operator]
