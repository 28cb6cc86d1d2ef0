"""The timing run of one command: what it fixes, what overrides replace, and the table that it leaves."""

from pathlib import Path

from scripts.bench_ttft import WHOLE, main, not_given


def test_without_overrides_all_is_fixed() -> None:
    assert not_given([]) == list(WHOLE)


def test_an_override_replaces_its_own_setting_alone() -> None:
    left = not_given(["task.lengths=[1024]"])
    assert set(WHOLE) - set(left) == {"task.lengths=[8192,32768,65536,131056]"}


def test_random_weights_stay_with_the_model_that_has_a_shape() -> None:
    assert "model.weights=random" in not_given(["model=llama3"])
    assert "model.weights=random" not in not_given(["model=smollm2"])


def test_it_leaves_a_run_folder_and_a_table_with_the_command(tmp_path: Path) -> None:
    small = ["model=tiny", "task.lengths=[200]", "prefill.keep=[20]", "heuristic=claa", "evaluation.repeats=1"]
    assert main(tmp_path / "run", [*small, "model.dtype=float32"]) == 0
    text = (tmp_path / "run" / "ttft.md").read_text()
    assert "python run.py evaluation=ttft" in text
    assert "'task.lengths=[200]'" in text
    assert "claa" in text
    assert "torch 2." in text
    assert (tmp_path / "run" / "runs.parquet").is_file()
