"""Follows CONTRIBUTING.md to the letter: every file of each recipe, but outside of the repository."""

import inspect
import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from tests.command import ROOT, Command, Ended

SMALL = ("model=tiny", "task.lengths=[300]", "task.depths=[50]", "task.max_new_tokens=4", "bootstrap.resamples=10")
RECIPES = {  # in the order of the document: how many files, and a change of the code that the recipe's test must notice
    "value_aware": (3, "norms[:, None]", "1"),
    "strongest": (3, "amax(dim=0, keepdim=True)", "mean(dim=0, keepdim=True)"),
    "cache_only": (3, "best_and_protected(used[-1]", "best_and_protected(-used[-1]"),
    "run_index": (3, '.open("a"', '.open("w"'),
    "stability": (4, "recall_at_k(second,", "recall_at_k(first,"),
}
STEP = re.compile(r"^\*\*\d\. [^`]*`([^`]+)`\.\*\*.*?^```\w+\n(.*?)^```", re.DOTALL | re.MULTILINE)
FILES: dict[str, str] = dict(STEP.findall((ROOT / "CONTRIBUTING.md").read_text()))  # path in the repository -> content


@dataclass(frozen=True)
class Recipes:
    """The files of all recipes in a folder of one's own, where ``heuristics/claa.py`` would be ``my_heuristics_claa.py``."""

    folder: Path
    command: Command

    def tokenrank(self, *arguments: str) -> Ended:
        """The command with the folder's configs beside ours."""
        return self.command("--config-dir", str(self.folder), *arguments)

    def change(self, name: str, old: str, new: str) -> None:
        """Changes the one place of a recipe's code that reads ``old``."""
        (file,) = (each for each in self.folder.glob(f"*_{name}.py") if old in each.read_text())
        assert file.read_text().count(old) == 1
        file.write_text(file.read_text().replace(old, new))
        forget()

    def test_of(self, name: str) -> Callable[..., object]:
        """The one test of a recipe."""
        (path,) = (path for path in FILES if path.endswith(f"/test_{name}.py"))
        names: dict[str, object] = {}
        exec(compile(moved(FILES[path]), path, "exec"), names)  # noqa: S102
        (test,) = (value for key, value in names.items() if key.startswith("test_"))
        assert callable(test)
        return test


def moved(content: str) -> str:
    """The content with the recipes' modules under their names in the folder."""
    for path in FILES:
        if path.endswith(".py"):
            module = path.removesuffix(".py").replace("/", ".")
            content = content.replace(f"tokenrank.{module}", f"my_{module.replace('.', '_')}")
    return content


def forget() -> None:
    """The recipes' modules will be imported anew."""
    for module in [name for name in sys.modules if name.startswith("my_")]:
        del sys.modules[module]


@pytest.fixture
def recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tokenrank: Command) -> Iterator[Recipes]:
    """Everything but the tests, written and importable."""
    folder = tmp_path / "my"
    for path, content in FILES.items():
        assert not (ROOT / path).exists()
        if path.startswith("tests/"):
            continue
        own = path.removeprefix("configs/") if path.endswith(".yaml") else f"my_{path.replace('/', '_')}"
        (folder / own).parent.mkdir(parents=True, exist_ok=True)
        (folder / own).write_text(moved(content))
        assert path.endswith(".py") or "_target_: my_" in moved(content)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # it would outlive a change within a second
    yield Recipes(folder, tokenrank)
    forget()


def test_every_recipe_has_as_many_files_as_it_says() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    words = {3: "three", 4: "four"}
    sections = [each for each in text.split("\n## ") if "**1. " in each]
    assert len(sections) == len(RECIPES)
    for section, (name, (count, _, _)) in zip(sections, RECIPES.items(), strict=True):
        assert section.splitlines()[0].endswith(f": {words[count]} files")
        files = [path for path, _ in STEP.findall(section)]
        assert len(files) == section.count("```python") + section.count("```yaml") == count
        assert all(Path(path).stem.removeprefix("test_") in (name, f"{name}_table") for path in files)


def test_the_heuristic_the_logger_and_the_oracle_run_beside_ours(recipes: Recipes, tmp_path: Path) -> None:
    chosen = (*SMALL, "metric=[recall]", "heuristic=[value_aware,claa,oracle]")
    assert recipes.tokenrank(*chosen, "logger=run_index", "logger.file=index.jsonl").code == 0
    ours = pd.read_parquet(tmp_path / "run" / "metrics.parquet").set_index("heuristic")["value"]
    assert set(ours.index.dropna()) == {"value_aware", "claa", "oracle"}
    assert ours["value_aware"].std() > 0
    (line,) = (tmp_path / "index.jsonl").read_text().splitlines()
    assert json.loads(line)["name"] == "value_aware+claa+oracle-tiny-niah"

    other = ("oracle=strongest", "oracle.strongest.kernel=1", f"hydra.run.dir={tmp_path / 'theirs'}")
    assert recipes.tokenrank(*chosen, *other).code == 0
    theirs = pd.read_parquet(tmp_path / "theirs" / "metrics.parquet").set_index("heuristic")["value"]
    assert (theirs["oracle"] == 1).all()  # the bound follows the oracle
    assert theirs["claa"].tolist() != ours["claa"].tolist()
    assert len((tmp_path / "index.jsonl").read_text().splitlines()) == 1


def test_the_engine_runs_for_the_heuristics_that_choose_it(recipes: Recipes, tmp_path: Path) -> None:
    by_hand = "+prefill.engine.tova={_target_: my_prefill_cache_only.CacheOnly, window: 8}"
    other = ("~prefill.engine.claa", "+prefill.engine.claa={_target_: my_prefill_cache_only.CacheOnly, window: 8}")
    chosen = "heuristic=[snapkv,tova,claa,fastkv,value_aware]"
    small = (*SMALL, "prefill.keep=[20]")
    ended = recipes.tokenrank("evaluation=accuracy", "prefill=cache_only", *small, chosen, by_hand, *other)
    assert ended.code == 0, ended.err
    runs = pd.read_parquet(tmp_path / "run" / "runs.parquet").set_index("heuristic")
    theirs, layerwise = ["snapkv", "tova", "claa"], ["fastkv", "value_aware"]
    assert (runs.loc[theirs, "engine"] == "cache_only@snapkv").all()  # three lines of the config, one engine
    assert (runs.loc[layerwise, "engine"] == "layerwise").all()
    assert {"oracle@snapkv", "random@snapkv", "oracle", "random"} == set(runs.index.dropna()) - {*theirs, *layerwise}
    full = runs[runs["engine"] == "full"].iloc[0]
    assert (runs.loc[theirs, "flops"] >= full["flops"]).all()  # scores cost something
    assert (runs.loc[layerwise, "flops"] < full["flops"]).all()
    assert (runs.loc[theirs, "kv_bytes"] < 0.25 * full["kv_bytes"]).all()


@pytest.mark.parametrize("name", RECIPES)
def test_the_test_of_a_recipe_passes_and_fails_for_other_code(
    recipes: Recipes, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    fixtures = {"tokenrank": recipes.tokenrank, "tmp_path": tmp_path, "capsys": capsys}

    def run_test() -> None:
        test = recipes.test_of(name)
        test(**{each: fixtures[each] for each in inspect.signature(test).parameters})

    run_test()
    recipes.change(name, *RECIPES[name][1:])
    for file in (tmp_path / "index.jsonl", *tmp_path.rglob("copies.json")):
        file.unlink(missing_ok=True)
    with pytest.raises(AssertionError):
        run_test()
