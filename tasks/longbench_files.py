"""LongBench's files: rows out of a folder or data.zip, the two template files, and data.zip from the hub."""

import sys
import zipfile
from pathlib import Path
from string import Formatter
from typing import Any

import fsspec

from tokenrank.models.hub import hub_answers, reachable
from tokenrank.tasks.jsonl import parse_json, parse_jsonl, read_jsonl

PROMPTS, LENGTHS = "dataset2prompt.json", "dataset2maxlen.json"
FIELDS = ("input", "context", "answers")
MOST_GIB, MOST_RATIO = 4, 200  # of a file in data.zip: its size, and its size for each byte that it takes there
GITHUB = "https://api.github.com"


def folder_rows(folder: Path, subset: str) -> list[dict[str, Any]]:
    """The rows of SUBSET.jsonl.

    Raises:
        ValueError: as for ``read_jsonl``.
    """
    return read_jsonl(folder / f"{subset}.jsonl", FIELDS)


def archive_rows(archive: Path, subset: str) -> list[dict[str, Any]]:
    """The rows of data/SUBSET.jsonl in an archive; it is read up to ``MOST_GIB`` GiB and ``MOST_RATIO`` times its packed size.

    Raises:
        ValueError: no such archive or file in it, it is damaged, encrypted or too large, or as for ``parse_jsonl``.
    """
    name = f"data/{subset}.jsonl"
    if not archive.is_file():
        raise ValueError(f"task.path is {str(archive)!r}, and there is no such file")
    try:
        with zipfile.ZipFile(archive) as opened:
            member = opened.getinfo(name)
            size, packed = member.file_size, member.compress_size
            allowed = size <= min(MOST_GIB * 2**30, MOST_RATIO * packed)
            content = opened.read(member) if allowed else b""
    except KeyError:
        raise ValueError(f"{archive} holds no {name}") from None
    except (
        Exception
    ) as error:  # a damaged archive fails in zipfile, zlib, lzma or struct; an encrypted one in RuntimeError
        raise ValueError(
            f"{archive}, {name} cannot be read as a zip archive: {error or type(error).__name__}"
        ) from error
    if not allowed:
        raise ValueError(
            f"{archive}, {name} unpacks from {packed} to {size} bytes, "
            f"must be at most {MOST_GIB} GiB and {MOST_RATIO} times its packed size"
        )
    return parse_jsonl(content, f"{archive}, {name}", FIELDS)


def read_templates(place: str, subsets: list[str]) -> dict[str, tuple[str, int]]:
    """Template and tokens of the answer for each subset.

    Args:
        place: folder or URL of the two template files.
        subsets: names.

    Raises:
        ValueError: a file cannot be read, lacks a subset, or holds a template or a length that cannot be used.
    """
    words, lengths = (_read_object(place, name) for name in (PROMPTS, LENGTHS))
    for subset in subsets:
        if subset not in words or subset not in lengths:
            raise ValueError(
                f"task.subset holds {subset!r}, which {place} has no template for; it has {', '.join(words)}"
            )
        _check_template(f"{PROMPTS} of {place}, subset {subset}", words[subset])
        if type(lengths[subset]) is not int or lengths[subset] < 1:
            raise ValueError(
                f"{LENGTHS} of {place}, subset {subset}: the length is {lengths[subset]!r}, "
                "must be a whole number, at least 1"
            )
    return {subset: (words[subset], lengths[subset]) for subset in subsets}


def download(repository: str, revision: str) -> str:
    """The path of a data set's data.zip in the hub's cache, fetched if need be; says on stderr which commit it is of.

    Raises:
        ValueError: it cannot be fetched.
    """
    from huggingface_hub import hf_hub_download

    try:
        path = hf_hub_download(
            repository, "data.zip", repo_type="dataset", revision=revision, local_files_only=not hub_answers()
        )
    except Exception as error:  # of the network, of the hub, of the cache's files
        raise ValueError(
            f"data.zip of the hub's data set {repository} cannot be fetched "
            f"(revision {revision}: {type(error).__name__}); go online, or set task.path to data.zip or to a folder of LongBench's jsonl files"
        ) from error
    print(f"note: the hub's data set {repository} is read at commit {Path(path).parent.name}", file=sys.stderr)
    return path


def _read_object(place: str, name: str) -> dict[str, Any]:
    url = f"{place.rstrip('/')}/{name}"
    server = GITHUB if url.startswith("github://") else url
    try:
        if server.startswith(("http://", "https://")) and not reachable(server):
            raise ValueError(f"{server} cannot be reached")
        with fsspec.open(url, "rt", encoding="utf-8") as opened:
            content = parse_json(opened.read())
        if not isinstance(content, dict):
            raise ValueError(f"must be a JSON object, is {type(content).__name__}")
    except Exception as error:  # each kind of URL has a client with errors of its own
        raise ValueError(
            f"{url} cannot be read ({type(error).__name__}: {error}); {PROMPTS} and {LENGTHS} are in the folder config "
            "of LongBench's own repository: set task.templates to a copy of that folder, or task.path to a folder that holds both beside "
            "LongBench's jsonl files"
        ) from error
    return content


def _check_template(where: str, template: object) -> None:
    """Raises ValueError unless it is a text whose only fields are {context} and {input}."""
    if not isinstance(template, str):
        raise ValueError(f"{where}: the template is {template!r}, must be a text")
    try:
        fields = [part[1:] for part in Formatter().parse(template) if part[1] is not None]
    except ValueError as error:
        raise ValueError(f"{where}: {error}; a brace that is no field's must be doubled") from None
    for name, form, conversion in fields:
        if name not in ("context", "input") or form or conversion:
            whole = f"{name}{'!' if conversion else ''}{conversion or ''}{':' if form else ''}{form}"
            raise ValueError(
                f"{where}: the template holds {{{whole}}}, must hold no field but {{context}} and {{input}}"
            )
