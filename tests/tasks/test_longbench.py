"""LongBench: a made-up folder in its layout, the same data as its data.zip and out of the hub's cache, and what is refused.

The rows and the wording are our own; only file names, fields and the two template files are LongBench's.
"""

import json
import os
import re
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerBase as Tokenizer

from tokenrank.tasks.longbench import LongBench
from tokenrank.tasks.task import Prompt

WORDS = {
    "letters": "Letter:\n{context}\nAsked: {input}\nSaid:",
    "codes": "{context}>>{input}",
    "tales": "{context}{input}",
}
LENGTHS = {"letters": 12, "codes": 30, "tales": 5}
SIZES = {"letters": 6, "codes": 4, "tales": 1}
SUBSETS = list(SIZES)
READS = 8192  # tokens


def row(subset: str, number: int) -> dict[str, Any]:
    answers = ["größer"] if number % 2 else ["a", "b\u2028c"]
    return {
        "input": f"{subset} {number}?",
        "context": f"No. {number} {{input}} " * 20,
        "answers": answers,
        "length": 7,
        "_id": f"{number}",
    }


def write(folder: Path, subset: str, rows: list[dict[str, Any]]) -> None:
    lines = [json.dumps(each, ensure_ascii=False) for each in rows]
    (folder / f"{subset}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def pack(folder: Path, archive: Path) -> Path:
    """LongBench's data.zip: data/SUBSET.jsonl, without the templates."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        for file in sorted(folder.glob("*.jsonl")):
            opened.write(file, f"data/{file.name}")
    return archive


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "longbench"
    made.mkdir()
    (made / "dataset2prompt.json").write_text(json.dumps(WORDS))
    (made / "dataset2maxlen.json").write_text(json.dumps(LENGTHS))
    for subset, size in SIZES.items():
        write(made, subset, [row(subset, number) for number in range(size)])
    return made


@pytest.fixture(autouse=True)
def offline_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub is offline, and its cache is the test's own folder."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))


def task(path: Path | None, **settings: Any) -> LongBench:
    subset = settings.pop("subset", SUBSETS)
    return LongBench(subset=subset, path=None if path is None else str(path), **settings)


def text(tokenizer: Tokenizer, prompt: Prompt) -> str:
    return str(tokenizer.decode(list(prompt.input_ids)))


def in_hub_cache(hub: Path, archive_of: Path) -> None:
    """The archive as the hub's client keeps a data set's file."""
    place = hub / "datasets--THUDM--LongBench"
    commit = "0123456789abcdef0123456789abcdef01234567"
    pack(archive_of, place / "snapshots" / commit / "data.zip")
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text(commit)


def test_a_row_is_worded_by_its_subsets_template(folder: Path, byte_tokenizer: Tokenizer) -> None:
    prompts = task(folder).prompts(byte_tokenizer, READS)
    assert [prompt.id for prompt in prompts] == [
        f"{name}_{number}" for name in SUBSETS for number in range(SIZES[name])
    ]
    for prompt in prompts:
        subset, _, number = prompt.id.partition("_")
        written = row(subset, int(number))
        message = WORDS[subset].replace("{input}", "\0").replace("{context}", written["context"])
        message = message.replace("\0", written["input"])
        assert text(byte_tokenizer, prompt) == f"<user>{message}</user><assistant>"
        assert (prompt.task, prompt.max_new_tokens) == (f"longbench/{subset}", LENGTHS[subset])
        assert (prompt.answers, prompt.cut_tokens, prompt.needle) == (tuple(written["answers"]), 0, None)


def test_subsets_without_a_chat_template_get_none(folder: Path, byte_tokenizer: Tokenizer) -> None:
    some = task(folder, without_chat_template=["codes"]).prompts(byte_tokenizer, READS)
    bare = task(folder, chat_template=False).prompts(byte_tokenizer, READS)
    for one, other in zip(some, bare, strict=True):
        assert text(byte_tokenizer, one).startswith("<user>") == (one.task != "longbench/codes")
        assert not text(byte_tokenizer, other).startswith("<user>")
        assert text(byte_tokenizer, other) in text(byte_tokenizer, one)


@pytest.mark.parametrize("url", [False, True])
def test_data_zip_gives_the_prompts_of_the_folder(
    folder: Path, tmp_path: Path, byte_tokenizer: Tokenizer, url: bool
) -> None:
    archive = pack(folder, tmp_path / "data.zip")
    templates = folder.as_uri() if url else str(folder)
    zipped = task(archive, templates=templates).prompts(byte_tokenizer, READS)
    assert zipped == task(folder).prompts(byte_tokenizer, READS)
    assert len(zipped) == sum(SIZES.values())


def test_the_hubs_data_zip_gives_the_prompts_of_the_folder(
    folder: Path, tmp_path: Path, byte_tokenizer: Tokenizer
) -> None:
    in_hub_cache(tmp_path / "hub", folder)
    from_hub = task(None, templates=str(folder)).prompts(byte_tokenizer, READS)
    assert from_hub == task(folder).prompts(byte_tokenizer, READS)


def test_a_hub_out_of_reach_comes_with_advice(folder: Path, byte_tokenizer: Tokenizer) -> None:
    with pytest.raises(ValueError, match=r"THUDM/LongBench cannot be fetched .*; go online, or set task\.path"):
        task(None, templates=str(folder)).prompts(byte_tokenizer, READS)


@pytest.mark.parametrize(("limit", "readable"), [(200, READS), (201, READS), (None, 230), (250, 230)])
def test_too_long_a_prompt_keeps_both_ends(
    folder: Path, byte_tokenizer: Tokenizer, limit: int | None, readable: int
) -> None:
    whole = task(folder).prompts(byte_tokenizer, READS)
    for full, prompt in zip(whole, task(folder, max_tokens=limit).prompts(byte_tokenizer, readable), strict=True):
        kept = min(limit or readable, readable - prompt.max_new_tokens)
        assert len(full.input_ids) > kept
        assert (len(prompt.input_ids), prompt.cut_tokens) == (kept, len(full.input_ids) - kept)
        head = kept // 2
        assert prompt.input_ids == full.input_ids[:head] + full.input_ids[-(kept - head) :]


def test_a_limit_above_all_prompts_cuts_nothing(folder: Path, byte_tokenizer: Tokenizer) -> None:
    assert task(folder, max_tokens=5000).prompts(byte_tokenizer, READS) == task(folder).prompts(byte_tokenizer, READS)


def test_samples_are_spread_evenly_over_the_subsets(folder: Path, byte_tokenizer: Tokenizer) -> None:
    for samples, spread in [(1, [1]), (2, [1, 1]), (5, [2, 2, 1]), (9, [4, 4, 1]), (50, [6, 4, 1])]:
        prompts = task(folder, samples=samples).prompts(byte_tokenizer, READS)
        assert list(Counter(prompt.task for prompt in prompts).values()) == spread


def test_the_same_seed_draws_the_same_rows_and_another_others(folder: Path, byte_tokenizer: Tokenizer) -> None:
    first, again, other = (task(folder, samples=5, seed=seed).prompts(byte_tokenizer, READS) for seed in (0, 0, 2))
    assert first == again
    assert {prompt.id for prompt in first} != {prompt.id for prompt in other}


def test_more_samples_include_fewer(folder: Path, byte_tokenizer: Tokenizer) -> None:
    few, more = (
        {prompt.id for prompt in task(folder, samples=samples).prompts(byte_tokenizer, READS)} for samples in (4, 8)
    )
    assert few < more


@pytest.mark.parametrize("name", ["dataset2prompt.json", "dataset2maxlen.json"])
def test_a_missing_template_file_comes_with_advice(folder: Path, byte_tokenizer: Tokenizer, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ValueError, match=rf"{re.escape(name)} cannot be read .*: set task\.templates"):
        task(folder).prompts(byte_tokenizer, READS)


def test_a_broken_template_file_comes_with_advice(folder: Path, byte_tokenizer: Tokenizer) -> None:
    (folder / "dataset2prompt.json").write_text("{")
    with pytest.raises(ValueError, match=r"dataset2prompt\.json cannot be read .*: set task\.templates"):
        task(folder).prompts(byte_tokenizer, READS)


def test_an_archive_takes_the_templates_of_longbenchs_own_repository(
    folder: Path, tmp_path: Path, byte_tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = pack(folder, tmp_path / "data.zip")
    monkeypatch.setattr("tokenrank.tasks.longbench.TEMPLATES", folder.as_uri())
    assert task(archive).prompts(byte_tokenizer, READS) == task(folder).prompts(byte_tokenizer, READS)
    monkeypatch.setattr("tokenrank.tasks.longbench.TEMPLATES", (tmp_path / "nowhere").as_uri())
    with pytest.raises(ValueError, match=r"nowhere/dataset2prompt\.json cannot be read"):
        task(archive).prompts(byte_tokenizer, READS)


def test_an_unknown_subset_is_refused_with_those_there_are(folder: Path, byte_tokenizer: Tokenizer) -> None:
    with pytest.raises(ValueError, match=r"holds 'letter', .* it has letters, codes, tales"):
        task(folder, subset=["codes", "letter"]).prompts(byte_tokenizer, READS)


def test_a_subset_without_data_is_refused(folder: Path, tmp_path: Path, byte_tokenizer: Tokenizer) -> None:
    (folder / "codes.jsonl").unlink()
    with pytest.raises(ValueError, match=r"codes\.jsonl is not there"):
        task(folder).prompts(byte_tokenizer, READS)
    archive = pack(folder, tmp_path / "data.zip")
    with pytest.raises(ValueError, match=r"data\.zip holds no data/codes\.jsonl"):
        task(archive, templates=str(folder)).prompts(byte_tokenizer, READS)


def test_an_archive_that_is_not_there_is_refused(folder: Path, byte_tokenizer: Tokenizer) -> None:
    with pytest.raises(ValueError, match=r"task\.path is '.*none\.zip', and there is no such file"):
        task(folder / "none.zip", templates=str(folder)).prompts(byte_tokenizer, READS)


@pytest.mark.parametrize("field", ["input", "context", "answers"])
def test_a_missing_field_is_named_with_its_line(
    folder: Path, tmp_path: Path, byte_tokenizer: Tokenizer, field: str
) -> None:
    rows = [row("tales", number) for number in range(3)]
    del rows[2][field]
    write(folder, "tales", rows)
    with pytest.raises(ValueError, match=rf"tales\.jsonl, line 3: lacks the field '{field}'"):
        task(folder).prompts(byte_tokenizer, READS)
    for each in rows[:2]:
        del each[field]
    write(folder, "tales", rows)
    with pytest.raises(ValueError, match=rf"data/tales\.jsonl.* lacks the field '{field}'"):
        task(pack(folder, tmp_path / "data.zip"), templates=str(folder)).prompts(byte_tokenizer, READS)


@pytest.mark.parametrize("setting", ["samples", "max_tokens"])
@pytest.mark.parametrize("value", [0, -1])
def test_fewer_than_one_sample_or_token_is_refused(folder: Path, setting: str, value: int) -> None:
    with pytest.raises(ValueError, match=rf"task\.{setting} is {value}, must be at least 1"):
        task(folder, **{setting: value})


def test_no_subset_is_refused(folder: Path, byte_tokenizer: Tokenizer) -> None:
    with pytest.raises(ValueError, match=r"task\.subset"):
        task(folder, subset=[]).prompts(byte_tokenizer, READS)


def test_a_changed_archive_gives_its_new_prompts(folder: Path, tmp_path: Path, byte_tokenizer: Tokenizer) -> None:
    archive = pack(folder, tmp_path / "data.zip")
    old = task(archive, templates=str(folder)).prompts(byte_tokenizer, READS)
    write(folder, "tales", [row("tales", 7)])
    pack(folder, archive)
    new = task(archive, templates=str(folder)).prompts(byte_tokenizer, READS)
    assert new != old
    assert new == task(folder).prompts(byte_tokenizer, READS)


def test_an_offline_machine_reads_the_archive_that_it_has(folder: Path, tmp_path: Path) -> None:
    in_hub_cache(tmp_path / "home" / "hub", folder)
    program = (
        "from tokenrank.models.tiny import byte_tokenizer; from tokenrank.tasks.longbench import LongBench;"
        f"prompts = LongBench(subset={SUBSETS}, templates={str(folder)!r}).prompts(byte_tokenizer(), {READS});"
        "print('prompts', len(prompts))"
    )
    environment = os.environ | {"HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"}
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == f"prompts {sum(SIZES.values())}", done.stderr


@pytest.mark.parametrize("field", ["input", "answers"])
def test_dates_in_an_archive_stay_as_they_are(
    folder: Path, tmp_path: Path, byte_tokenizer: Tokenizer, field: str
) -> None:
    dates = {"input": "2020-01-01", "answers": ["2020-01-01"]}
    write(folder, "tales", [row("tales", 0) | {field: dates[field]}])
    archive = pack(folder, tmp_path / "data.zip")
    zipped = task(archive, templates=str(folder)).prompts(byte_tokenizer, READS)
    assert zipped == task(folder).prompts(byte_tokenizer, READS)


@pytest.mark.parametrize(
    ("line", "reason"), [('{"input": 1', "line 2: not valid JSON"), ("{}", "line 2: lacks the field")]
)
def test_a_broken_line_in_an_archive_is_named(
    folder: Path, tmp_path: Path, byte_tokenizer: Tokenizer, line: str, reason: str
) -> None:
    with (folder / "tales.jsonl").open("a") as opened:
        opened.write(line + "\n")
    with pytest.raises(ValueError, match=rf"tales\.jsonl, {reason}"):
        task(folder).prompts(byte_tokenizer, READS)
    with pytest.raises(ValueError, match=rf"data/tales\.jsonl, {reason}"):
        task(pack(folder, tmp_path / "data.zip"), templates=str(folder)).prompts(byte_tokenizer, READS)


def test_a_file_that_is_no_archive_is_named(folder: Path, tmp_path: Path, byte_tokenizer: Tokenizer) -> None:
    archive = tmp_path / "data.zip"
    archive.write_bytes(b"no archive")
    with pytest.raises(ValueError, match=re.escape(str(archive))):
        task(archive, templates=str(folder)).prompts(byte_tokenizer, READS)
