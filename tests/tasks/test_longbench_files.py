"""LongBench's files: damaged, encrypted and exploding archives, templates and lengths that cannot be used."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerBase as Tokenizer

from tokenrank.tasks import longbench_files
from tokenrank.tasks.longbench import LongBench
from tokenrank.tasks.longbench_files import archive_rows, folder_rows, read_templates

ROW = {"input": "?", "context": "".join(chr(33 + i * i % 90) for i in range(2000)), "answers": ["a"]}


def packed(folder: Path, content: bytes | None = None, method: int = zipfile.ZIP_DEFLATED) -> Path:
    archive = folder / "data.zip"
    with zipfile.ZipFile(archive, "w", method) as opened:
        opened.writestr("data/qasper.jsonl", json.dumps(ROW).encode() if content is None else content)
    return archive


def templates(folder: Path, words: Any, lengths: Any = 8) -> str:
    (folder / "dataset2prompt.json").write_text(json.dumps({"qasper": words}))
    (folder / "dataset2maxlen.json").write_text(json.dumps({"qasper": lengths}))
    return str(folder)


def changed(archive: Path, place: int, new: bytes) -> None:
    content = bytearray(archive.read_bytes())
    content[place : place + len(new)] = new
    archive.write_bytes(content)


def test_a_sound_archive_gives_the_rows_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "qasper.jsonl").write_text(json.dumps(ROW))
    assert archive_rows(packed(tmp_path), "qasper") == folder_rows(tmp_path, "qasper") == [ROW]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
@pytest.mark.parametrize("damage", ["byte", "truncated", "half", "encrypted", "method", "header"])
def test_a_damaged_archive_is_one_sentence(tmp_path: Path, method: int, damage: str) -> None:
    archive = packed(tmp_path, method=method)
    content = archive.read_bytes()
    central = content.rindex(b"PK\x01\x02")
    if damage == "byte":
        changed(archive, 100, bytes([content[100] ^ 0xFF, content[101] ^ 0xFF]))
    elif damage in ("truncated", "half"):
        archive.write_bytes(content[: -10 if damage == "truncated" else len(content) // 2])
    elif damage == "encrypted":
        changed(archive, central + 8, b"\x01")
        changed(archive, 6, b"\x01")
    elif damage == "method":
        changed(archive, central + 10, b"\x63")
        changed(archive, 8, b"\x63")
    else:
        changed(archive, 0, b"XXXX")
    with pytest.raises(
        ValueError, match=r"^[^\n]*data\.zip, data/qasper\.jsonl cannot be read as a zip archive: [^\n]+$"
    ):
        archive_rows(archive, "qasper")


def test_an_exploding_archive_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    archive = packed(tmp_path, b" " * 10**6)
    with pytest.raises(ValueError, match=r"unpacks from \d+ to 1000000 bytes, must be at most 4 GiB and 200 times"):
        archive_rows(archive, "qasper")


def test_a_file_above_the_bound_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = packed(tmp_path)
    monkeypatch.setattr(longbench_files, "MOST_GIB", 0)
    with pytest.raises(ValueError, match="must be at most 0 GiB"):
        archive_rows(archive, "qasper")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("{context}{foo}", r"the template holds \{foo\}, must hold no field but"),
        ("{}", r"the template holds \{\}"),
        ("{0}", r"the template holds \{0\}"),
        ("{context.nope}", r"the template holds \{context\.nope\}"),
        ("{context[0]}", r"the template holds \{context\[0\]\}"),
        ("{context!r}", r"the template holds \{context!r\}"),
        ("{context:>99999999999}", r"the template holds \{context:>99999999999\}"),
        ("{context", "a brace that is no field's must be doubled"),
        ("context}", "a brace that is no field's must be doubled"),
        (["{context}"], r"the template is \['\{context\}'\], must be a text"),
        (None, "the template is None, must be a text"),
    ],
)
def test_a_template_with_other_fields_is_refused(tmp_path: Path, words: Any, message: str) -> None:
    with pytest.raises(
        ValueError, match=rf"^dataset2prompt\.json of {tmp_path}, subset qasper: [^\n]*{message}[^\n]*$"
    ):
        read_templates(templates(tmp_path, words), ["qasper"])


@pytest.mark.parametrize("length", ["many", None, 0, -3, 1.5, True, [8]])
def test_a_length_that_is_no_number_is_refused(tmp_path: Path, length: Any) -> None:
    wanted = (
        rf"^dataset2maxlen\.json of {tmp_path}, subset qasper: the length is .*, must be a whole number, at least 1$"
    )
    with pytest.raises(ValueError, match=wanted):
        read_templates(templates(tmp_path, "{context}", length), ["qasper"])


@pytest.mark.parametrize(
    "content", ["[]", "3", "null", '{"a": NaN}', "[" * 10**5, '{"a": ' + "9" * 5000 + "}", '{"a": "\\ud800"}']
)
def test_a_template_file_that_is_no_object_is_refused(tmp_path: Path, content: str) -> None:
    place = templates(tmp_path, "{context}")
    (tmp_path / "dataset2prompt.json").write_text(content)
    with pytest.raises(
        ValueError, match=r"^[^\n]*dataset2prompt\.json cannot be read [^\n]*: set task\.templates [^\n]*$"
    ):
        read_templates(place, ["qasper"])


@pytest.mark.parametrize("place", ["nosuch://a/b", "s3://bucket/a", "\0", "github://no", "x" * 5000])
def test_a_place_that_cannot_be_opened_is_one_sentence(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    monkeypatch.setattr(longbench_files, "reachable", lambda _: False)
    with pytest.raises(ValueError, match=r"json cannot be read"):
        read_templates(place, ["qasper"])


def test_doubled_braces_are_braces_and_braces_of_the_context_stay(tmp_path: Path, byte_tokenizer: Tokenizer) -> None:
    templates(tmp_path, "{{x}} {context}|{input}")
    row = {"input": "{context} {", "context": "}} {input} {0} {nope", "answers": []}
    (tmp_path / "qasper.jsonl").write_text(json.dumps(row))
    (prompt,) = LongBench(["qasper"], path=str(tmp_path), chat_template=False).prompts(byte_tokenizer, 1000)
    assert byte_tokenizer.decode(list(prompt.input_ids)) == "{x} }} {input} {0} {nope|{context} {"


@pytest.mark.parametrize("subset", ["../qasper", "a/b", "a\nb", ""])
def test_a_subset_must_be_fit_for_a_file_name(subset: str) -> None:
    with pytest.raises(ValueError, match=r"task\.subset: id .* must be fit for a file's name"):
        LongBench([subset])


def test_the_commit_that_was_read_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[dict[str, Any]] = []

    def fetch(*_: str, **options: Any) -> str:
        asked.append(options)
        return str(packed(tmp_path / "snapshots" / "c0ffee"))

    (tmp_path / "snapshots" / "c0ffee").mkdir(parents=True)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", fetch)
    longbench_files.download("THUDM/LongBench", "v1")
    assert asked[0]["revision"] == "v1"
    assert capsys.readouterr().err == "note: the hub's data set THUDM/LongBench is read at commit c0ffee\n"
