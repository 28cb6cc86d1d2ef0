"""Follows CONTRIBUTING.md to the letter: the three files of each recipe, but outside of the repository."""

import re
from pathlib import Path

import pandas as pd
import pytest

from tests.command import ROOT, Command

SMALL = ("model=tiny", "task.lengths=[300]", "task.depths=[50]", "task.max_new_tokens=4", "metric=[recall]")
RECIPES = {  # in the order of the document: group of the config, name, module and class
    "peak": ("heuristic", "tokenrank.heuristics.peak", "Peak"),
    "strongest": ("oracle", "tokenrank.oracle.strongest", "Strongest"),
}


@pytest.fixture
def recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, dict[str, str]]:
    """The folder with each recipe's class and config, and the text of each recipe's test, by name."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    python = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    configs = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    folder, tests = tmp_path / "my", {}
    codes = zip(python[::2], python[1::2], configs, strict=True)
    for (name, (group, module, class_name)), (code, test, config) in zip(RECIPES.items(), codes, strict=True):
        (folder / group).mkdir(parents=True)
        (folder / f"my_{name}.py").write_text(code)
        mine = config.replace(f"{module}.{class_name}", f"my_{name}.{class_name}")
        assert mine != config
        (folder / group / f"{name}.yaml").write_text(mine)
        tests[name] = test.replace(f"from {module} import", f"from my_{name} import")
    monkeypatch.syspath_prepend(str(folder))
    return folder, tests


def test_the_heuristic_of_the_recipe_runs_beside_ours(
    tokenrank: Command, tmp_path: Path, recipes: tuple[Path, dict[str, str]]
) -> None:
    ended = tokenrank("--config-dir", str(recipes[0]), *SMALL, "heuristic=[peak,claa]")
    assert ended.code == 0, ended.err
    table = pd.read_parquet(tmp_path / "run" / "metrics.parquet")
    assert set(table["heuristic"].dropna()) == {"peak", "claa"}
    assert table.loc[table["heuristic"] == "peak", "value"].std() > 0


def test_the_oracle_of_the_recipe_replaces_ours(
    tokenrank: Command, tmp_path: Path, recipes: tuple[Path, dict[str, str]]
) -> None:
    chosen = (*SMALL, "heuristic=[claa,oracle]")
    ended = tokenrank("--config-dir", str(recipes[0]), *chosen, "oracle=strongest", "oracle.strongest.kernel=1")
    assert ended.code == 0, ended.err
    assert tokenrank(*chosen, f"hydra.run.dir={tmp_path / 'ours'}").code == 0
    theirs, ours = (pd.read_parquet(tmp_path / name / "metrics.parquet") for name in ("run", "ours"))
    recall = theirs["metric"] == "recall"
    assert (theirs.loc[recall & (theirs["heuristic"] == "oracle"), "value"] == 1).all()  # the bound follows the oracle
    claa = recall & (theirs["heuristic"] == "claa")
    assert theirs.loc[claa, "value"].tolist() != ours.loc[claa, "value"].tolist()


@pytest.mark.parametrize("name", RECIPES)
def test_the_test_of_a_recipe_passes_and_would_fail_for_other_numbers(
    recipes: tuple[Path, dict[str, str]], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    names: dict[str, object] = {}
    exec(compile(recipes[1][name], f"test_{name}.py", "exec"), names)  # noqa: S102
    (test,) = (value for key, value in names.items() if key.startswith("test_"))
    test()  # type: ignore[operator]
    monkeypatch.setattr(f"my_{name}.smooth", lambda scores, kernel: scores * 1.01)
    with pytest.raises(AssertionError):
        test()  # type: ignore[operator]
