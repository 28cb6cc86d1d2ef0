"""The timing run of one command: what it fixes, what overrides replace, and the table that it leaves."""

from dataclasses import replace
from pathlib import Path

from scripts.bench_ttft import WHOLE, document, main, not_given
from tests.report.contestant_examples import whose
from tests.report.run_folders import run_folder
from tests.report.ttft_examples import ttft_tables
from tokenrank.records.schema import RUNS, table


def test_without_overrides_all_is_fixed() -> None:
    assert not_given([]) == list(WHOLE)


def test_an_override_replaces_its_own_setting_alone() -> None:
    left = not_given(["task.lengths=[1024]"])
    assert set(WHOLE) - set(left) == {"task.lengths=[8192,32768,65536,131056]"}


def test_random_weights_stay_with_the_model_that_has_a_shape() -> None:
    assert "model.weights=random" in not_given(["model=llama3"])
    assert "model.weights=random" not in not_given(["model=smollm2"])


def test_the_table_comes_with_the_machine_the_command_and_what_failed(tmp_path: Path) -> None:
    lost = whose("claa", 10.0) | {"sample": "n4096", "status": "failed", "error": "out of memory: 80 GiB"}
    environment = {
        "device_name": "a GPU", "threads": 8, "packages": {"torch": "2.9", "transformers": "5.4"}, "git_commit": "c0ffee",
        "started": "2026-01-02T03:04:05",
    }  # fmt: skip
    folder = run_folder(tmp_path, replace(ttft_tables(), runs=table([lost], RUNS)), environment=environment)
    text = document(folder, ["evaluation=ttft", "task.lengths=[200]"])
    assert text.startswith("# Time to first token: a GPU\n\n`python run.py evaluation=ttft 'task.lengths=[200]'`")
    assert "8 CPU threads, torch 2.9, transformers 5.4, commit c0ffee, 2026-01-02." in text
    assert "tiny: time to first token" in text
    assert text.endswith("- n4096, claa at 10 %: out of memory: 80 GiB")


def test_it_leaves_a_run_folder_and_a_table_with_the_command(tmp_path: Path) -> None:
    small = ["model=tiny", "task.lengths=[200]", "prefill.keep=[20]", "heuristic=claa", "evaluation.repeats=1"]
    assert main(tmp_path / "run", [*small, "model.dtype=float32"]) == 0
    text = (tmp_path / "run" / "ttft.md").read_text()
    assert "python run.py evaluation=ttft" in text
    assert "'task.lengths=[200]'" in text
    assert "claa" in text
    assert "torch 2." in text
    assert (tmp_path / "run" / "runs.parquet").is_file()
