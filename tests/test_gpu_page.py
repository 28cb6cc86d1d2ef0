"""docs/gpu.md: its figures are those of the formulas that stand above them."""

import re

import pytest
from omegaconf import OmegaConf

from tests.command import ROOT

PAGE = (ROOT / "docs" / "gpu.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (\w+) \| ([\d.e]+) \| (\d+) x (\d+) x (\d+) \| (.*) \|$", PAGE, re.MULTILINE)
MINUTES = re.findall(r"^\| ([\d,]+) \| (\d+) minutes \| (\d+) minutes \|$", PAGE, re.MULTILINE)


def test_there_are_rows() -> None:
    assert len(ROWS) == 5
    assert len(MINUTES) == 3


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_memory_follows_from_the_shape(row: tuple[str, ...]) -> None:
    name, parameters, layers, kv_heads, dim, figures = row
    assert (ROOT / "configs" / "model" / f"{name}.yaml").is_file()
    token = 2 * int(layers) * int(kv_heads) * int(dim) * 2
    weights, cache = float(parameters) * 2 / 2**30, token * 32_768 / 2**30
    wanted = f"{weights:.1f} | {token // 1024} | {cache:.1f} | {weights + cache:.1f}"
    assert figures == wanted


def test_the_shape_of_llama3_is_that_of_its_config() -> None:
    shape = OmegaConf.load(ROOT / "configs" / "model" / "llama3.yaml").shape
    (row,) = (row for row in ROWS if row[0] == "llama3")
    dim = shape.hidden_size // shape.num_attention_heads
    assert [int(each) for each in row[2:5]] == [shape.num_hidden_layers, shape.num_key_value_heads, dim]


def test_minutes_are_prompts_times_seconds() -> None:
    """The seconds are those of docs/benchmarks.md."""
    benchmarks = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    seconds = [float(each) for each in re.findall(r"tokens \(([\d.]+) s\)", PAGE)]
    assert [f"{each:.2f} s" in benchmarks for each in seconds] == [True, True]
    for prompts, *minutes in MINUTES:
        count = int(prompts.replace(",", ""))
        assert [int(each) for each in minutes] == [round(count * each / 60) for each in seconds]
