"""The same command goes on where it stopped; sweeps share answers; what is damaged is done again; bad input is one sentence."""

import json
import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from omegaconf import OmegaConf

from tests.command import SMALL, Command, refused
from tokenrank.capture.decoding import greedy
from tokenrank.evaluation.plan import Plan
from tokenrank.records.record import read_record
from tokenrank.records.run_folder import RunFolder
from tokenrank.report.rows.loaded_run import LoadedRun
from tokenrank.work import loop, resuming
from tokenrank.work.resuming import Progress

IDS = ("niah_300_0_0", "niah_300_50_0")
pytestmark = pytest.mark.usefixtures("no_pictures")


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the units that are measured, in order."""
    names: list[str] = []
    original = loop.run_unit

    def noted(plan: object, model: object, unit: object, advance: object) -> object:
        names.append(unit.name)  # type: ignore[attr-defined]
        return original(plan, model, unit, advance)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "run_unit", noted)
    return names


def tables(folder: Path) -> dict[str, bytes]:
    return {name: (folder / f"{name}.parquet").read_bytes() for name in ("metrics", "summary", "samples", "runs")}


def test_a_finished_run_loads_no_model_and_prints_its_table_again(
    tokenrank: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = tokenrank(*SMALL)
    before = tables(tmp_path / "run")
    monkeypatch.setattr("tokenrank.work.local.load_model", None)
    again = tokenrank(*SMALL)
    assert again.code == 0, again.err
    assert again.out.splitlines()[:-1] == first.out.splitlines()[:-1]
    assert again.out.splitlines()[-1] == (
        f"2 of 2 units are done already; tables and plots in {tmp_path / 'run'}, overwrite=true starts anew"
    )
    assert tables(tmp_path / "run") == before


def test_tables_that_another_process_made_meanwhile_are_not_made_again(
    tokenrank: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tokenrank(*SMALL).code == 0
    before = tables(tmp_path / "run")
    original, looks = resuming.progress, []

    def first_without_records(plan: Plan, folder: RunFolder) -> Progress:
        looks.append(folder)
        return Progress(plan.units, plan.units, 0) if len(looks) == 1 else original(plan, folder)

    monkeypatch.setattr(resuming, "progress", first_without_records)
    monkeypatch.setattr(RunFolder, "remove_tables", lambda _: None)  # the other makes them after this
    monkeypatch.setattr("tokenrank.work.collecting.collect", None)
    again = tokenrank(*SMALL)
    assert again.code == 0, again.err
    assert len(looks) == 2
    assert "2 of 2 units are done already" in again.out
    assert tables(tmp_path / "run") == before


def test_a_run_that_was_killed_while_it_drew_is_drawn_again(
    tokenrank: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Path] = []

    def write_report(run: LoadedRun, *, lacking: bool = False) -> list[str]:
        if lacking:
            return []
        drawn.append(run.folder.path)
        if len(drawn) == 1:
            raise KeyboardInterrupt
        return []

    monkeypatch.setattr("tokenrank.report.whole.write_report", write_report)
    assert tokenrank(*SMALL).code == 130
    before = tables(tmp_path / "run")
    for count in (2, 2):  # the control: once drawn, it is not drawn again
        assert tokenrank(*SMALL).code == 0
        assert len(drawn) == count
    assert tables(tmp_path / "run") == before
    assert not (tmp_path / "run" / ".drawing").exists()


def test_a_run_folder_is_named_by_what_is_run_and_a_hash_of_its_settings(tokenrank: Command, tmp_path: Path) -> None:
    for given in ((), ("plots.k=5", "threads=1"), ("heuristic.claa.n=2",)):
        assert tokenrank(*SMALL, *given, "hydra.run.dir=results/${run_name:}").code == 0
    names = sorted(folder.name for folder in (tmp_path / "results").iterdir())
    assert len(names) == 2  # settings that change no table do not count
    assert all(name.startswith("ranking_claa_tiny_niah_") for name in names)
    configured = OmegaConf.to_container(OmegaConf.load(Path(__file__).parent.parent / "configs" / "run.yaml"))
    assert configured["hydra"]["run"]["dir"] == "results/${run_name:}"  # type: ignore[call-overload, index]


def test_a_unit_that_failed_is_measured_again_and_one_that_is_done_is_not(
    tokenrank: Command, tmp_path: Path, outside: str, measured: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ("--config-dir", outside, *SMALL, "heuristic=backwards", "task.lengths=[300,350]", "task.depths=[0]")
    broken = "import outside_heuristics as own; "
    with monkeypatch.context() as patch:
        import outside_heuristics as own  # type: ignore[import-not-found]

        right = own.Backwards.score
        patch.setattr(own.Backwards, "score", lambda self, layer: right(self, layer) / (layer.tokens != 350))
        assert tokenrank(*given).code == 1, broken
    assert measured == ["niah_300_0_0", "niah_350_0_0"]
    ended = tokenrank(*given)
    assert ended.code == 0, ended.err
    assert "going on in" in ended.err
    assert measured[2:] == ["niah_350_0_0"]
    assert list(pd.read_parquet(tmp_path / "run" / "samples.parquet")["status"]) == ["ok", "ok"]


def test_other_settings_in_the_same_folder_are_refused_and_named(tokenrank: Command, tmp_path: Path) -> None:
    assert tokenrank(*SMALL).code == 0
    before = tables(tmp_path / "run")
    ended = tokenrank(*SMALL, "heuristic.claa.n=2", "seed=3")
    assert ended.code == 2
    assert "seed is 0 there and 3 here" in ended.err
    assert "heuristic.claa.n is 4 there and 2 here" in ended.err
    assert "Choose another hydra.run.dir, or overwrite=true removes that run" in ended.err
    assert tables(tmp_path / "run") == before
    assert tokenrank(*SMALL, "heuristic.claa.n=2", "seed=3", "overwrite=true").code == 0
    assert OmegaConf.load(tmp_path / "run" / "config.yaml").seed == 3
    assert OmegaConf.load(tmp_path / "run" / "config.yaml").overwrite is False


@pytest.mark.parametrize("how", ["truncated", "flipped", "foreign", "of another unit", "of other work"])
def test_a_record_that_is_not_sound_is_named_and_its_unit_measured_again(
    tokenrank: Command, tmp_path: Path, measured: list[str], how: str
) -> None:
    tokenrank(*SMALL)
    before = tables(tmp_path / "run")
    file = tmp_path / "run" / "records" / f"{IDS[0]}.parquet"
    content = file.read_bytes()
    if how == "of other work":
        record = read_record(file)
        RunFolder(tmp_path / "run").write_record(type(record)(**(vars(record) | {"key": "0" * 64, "key_fields": {}})))
    else:
        other = (tmp_path / "run" / "records" / f"{IDS[1]}.parquet").read_bytes()
        flipped = content[:1000] + bytes([content[1000] ^ 1]) + content[1001:]
        damage = {"truncated": content[:-50], "flipped": flipped, "foreign": b"mine", "of another unit": other}
        file.write_bytes(damage[how])
    ended = tokenrank(*SMALL)
    assert ended.code == 0, ended.err
    assert measured == [*IDS, IDS[0]]
    assert str(file) in ended.err
    assert ended.err.count("the unit is measured again") == 1
    assert f"going on in {tmp_path / 'run'}: 1 of 2 units are done" in ended.err
    now = tables(tmp_path / "run")
    assert {name: now[name] for name in ("metrics", "summary")} == {
        name: before[name] for name in ("metrics", "summary")
    }


@pytest.mark.parametrize("table", ["metrics", "summary", "samples", "runs"])
def test_a_table_that_is_damaged_or_missing_is_made_again_without_measuring(
    tokenrank: Command, tmp_path: Path, measured: list[str], table: str
) -> None:
    tokenrank(*SMALL)
    before, file = tables(tmp_path / "run"), tmp_path / "run" / f"{table}.parquet"
    file.write_bytes(before[table][:200] + bytes([before[table][200] ^ 4]) + before[table][201:])
    ended = tokenrank(*SMALL)
    assert f"{file} " in ended.err
    assert tables(tmp_path / "run") == before
    file.unlink()
    assert tokenrank(*SMALL).code == 0
    assert tables(tmp_path / "run") == before
    assert len(measured) == 2


def test_shards_share_a_folder_and_the_last_one_makes_the_tables(
    tokenrank: Command, tmp_path: Path, measured: list[str]
) -> None:
    given = (*SMALL, "task.depths=[0,25,50,75,100]")
    tokenrank(*given, f"hydra.run.dir={tmp_path / 'whole'}", "store=null")
    del measured[:]
    for number in (2, 1):
        ended = tokenrank(*given, f"shard={number}/3", "store=null")
        assert ended.code == 0, ended.err
        assert f"shard {number} of 3 is done; " in ended.out
        assert not (tmp_path / "run" / "metrics.parquet").exists()
    assert measured == ["niah_300_25_0", "niah_300_100_0", "niah_300_0_0", "niah_300_75_0"]
    assert tokenrank(*given, "shard=3/3", "store=null").code == 0
    for name in ("metrics", "summary"):
        assert tables(tmp_path / "run")[name] == tables(tmp_path / "whole")[name]
    config = OmegaConf.load(tmp_path / "run" / "config.yaml")
    assert config.shard is None


def test_eight_heuristics_as_eight_jobs_decode_each_prompt_once_and_the_second_sweep_measures_nothing(
    tokenrank: Command, tmp_path: Path, measured: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[int] = []

    def counted(*given: Any) -> list[int]:
        decoded.append(1)
        return greedy(*given)

    monkeypatch.setattr("tokenrank.capture.reading.greedy", counted)
    names = "claa,fastkv,gemfilter,snapkv,tova,keynorm,random,recency"
    sweep = ("-m", *SMALL, f"heuristic={names}")
    first = tokenrank(*sweep)
    assert first.code == 0, first.err
    assert (len(decoded), len(measured)) == (2, 16)
    (folder,) = (tmp_path / "results").iterdir()
    assert folder.name.startswith("sweep_heuristic_")
    points = sorted(each.name.rpartition("_")[0] for each in folder.iterdir() if each.is_dir())
    assert points == sorted(f"heuristic={name}" for name in names.split(","))
    monkeypatch.setattr("tokenrank.work.local.load_model", None)
    again = tokenrank(*sweep)
    assert again.code == 0, again.err
    assert again.out.count("2 of 2 units are done already") == 8
    assert (len(decoded), len(measured)) == (2, 16)


def test_a_sweep_over_shards_has_one_run_folder(tokenrank: Command, tmp_path: Path) -> None:
    ended = tokenrank("-m", *SMALL, "shard=1/2,2/2")
    assert ended.code == 0, ended.err
    (folder,) = (each for each in (tmp_path / "results").iterdir() if each.is_dir())
    assert folder.name.startswith("ranking_claa_tiny_niah_")
    assert (folder / "metrics.parquet").exists()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("shard=0/8", "shard is 0/8, must be I/N with 1 <= I <= N, as shard=3/8"),
        ("shard=9/8", "shard is 9/8, must be I/N"),
        ("shard=3", "shard is 3, must be"),
        ("threads=0", "threads is 0, must be at least 1, or null"),
        ("store=/proc/nowhere", "store=/proc/nowhere cannot be written"),
        ("executor.processes=0", "processes is 0, must be at least 1"),
    ],
)
def test_bad_input_is_one_sentence_before_anything_is_loaded(
    tokenrank: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, sentence: str
) -> None:
    monkeypatch.setattr("tokenrank.work.local.load_model", None)
    refused(tokenrank(*SMALL, given), sentence, tmp_path)


def test_a_folder_of_an_older_format_is_refused_by_name(tokenrank: Command, tmp_path: Path) -> None:
    tokenrank(*SMALL)
    marker = tmp_path / "run" / "environment.json"
    marker.write_text(json.dumps(json.loads(marker.read_text()) | {"format": "tokenrank run folder 2"}))
    ended = tokenrank(*SMALL)
    assert ended.code == 2
    assert "was not written by this version of tokenrank" in ended.err


def test_bad_weights_leave_no_folder_behind_and_an_earlier_run_as_it_was(
    tokenrank: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ValueError("the weights are not those of the config")

    with monkeypatch.context() as patch:
        patch.setattr("tokenrank.models.tiny.Tiny.model", broken)
        refused(tokenrank(*SMALL), "the weights are not those of the config", tmp_path)
    tokenrank(*SMALL)
    (tmp_path / "run" / "records" / f"{IDS[0]}.parquet").unlink()
    monkeypatch.setattr("tokenrank.models.tiny.Tiny.model", broken)
    assert tokenrank(*SMALL).code == 2
    assert (tmp_path / "run" / "records" / f"{IDS[1]}.parquet").exists()


def test_a_full_disk_ends_the_run_in_one_sentence_and_what_was_finished_stays(
    tokenrank: Command, tmp_path: Path, measured: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Path] = []
    to_disk = "tokenrank.records.files._to_disk"

    def full(file: Path) -> None:
        if file.parent.name == "records" and (written.append(file) or len(written) == 2):  # type: ignore[func-returns-value]
            raise OSError(28, os.strerror(28), str(file))

    with monkeypatch.context() as patch:
        patch.setattr(to_disk, full)
        ended = tokenrank(*SMALL)
    assert ended.code == 1
    assert ended.err.splitlines()[-1].startswith("error: the run broke off: [Errno 28] No space left on device")
    assert [file.name for file in (tmp_path / "run" / "records").iterdir()] == [f"{IDS[0]}.parquet"]
    assert tokenrank(*SMALL).code == 0
    assert measured == [*IDS, IDS[1]]


def test_a_full_store_ends_the_run_in_one_sentence(
    tokenrank: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Path.write_bytes

    def full(self: Path, content: bytes) -> int:
        if "rankings" in self.parts:
            raise OSError(28, os.strerror(28), str(self))
        return write(self, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        ended = tokenrank(*SMALL)
    assert ended.code == 1
    assert f"error: the run broke off: store={tmp_path / 'store'} cannot be written: No space left" in ended.err
    assert tokenrank(*SMALL).code == 0


def test_a_shard_does_not_remove_what_the_others_measured(tokenrank: Command, tmp_path: Path) -> None:
    assert tokenrank(*SMALL, "shard=1/2").code == 0
    ended = tokenrank(*SMALL, "shard=2/2", "overwrite=true")
    assert ended.code == 2
    assert "overwrite=true with shard=2/2 would remove what the other shards measured" in ended.err
    assert [file.stem for file in RunFolder(tmp_path / "run").record_files()] == [IDS[0]]
    assert tokenrank(*SMALL, "overwrite=true").code == 0


def test_without_texts_the_run_says_that_the_store_keeps_answers(tokenrank: Command, tmp_path: Path) -> None:
    note = "note: texts=false, but the token ids of answers are kept in store="
    assert note in tokenrank(*SMALL, "texts=false").err
    assert list((tmp_path / "store" / "answers").rglob("*.safetensors"))
    for given in (("texts=false", "store=null"), ("texts=true",), ("texts=false", "answer=reference")):
        assert note not in tokenrank(*SMALL, *given, "estimate=true").err
