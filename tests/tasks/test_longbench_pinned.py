"""LongBench's pinned templates, read by fsspec's own client of GitHub from a repository laid out as LongBench's at two commits.

Names of files, folders and subsets are LongBench's; the words of the templates are not.
"""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import requests
from fsspec.implementations.github import GithubFileSystem
from omegaconf import OmegaConf

from tokenrank.tasks import longbench_files
from tokenrank.tasks.longbench import COMMIT, TEMPLATES
from tokenrank.tasks.longbench_files import LENGTHS, PROMPTS, read_templates

SETTINGS: Any = OmegaConf.load(Path(__file__).parents[2] / "configs" / "task" / "longbench.yaml")
FIRST_COMMIT = "f6227eb7a25cacbd96310aea2c59af003f8d8925"
ALL = [
    "narrativeqa", "qasper", "multifieldqa_en", "multifieldqa_zh", "hotpotqa", "2wikimqa", "musique", "dureader",
    "gov_report", "qmsum", "multi_news", "vcsum", "trec", "triviaqa", "samsum", "lsht", "passage_count",
    "passage_retrieval_en", "passage_retrieval_zh", "lcc", "repobench-p",
]  # fmt: skip
OF_FIRST = [
    "passage_count", "passage_retrieval", "trec", "nq", "triviaqa", "hotpotqa", "musique", "2wikimqa", "narrativeqa",
    "qasper", "gov_report", "qmsum", "passkey_retrieval", "lsht", "dureader", "vcsum", "multifieldqa_en",
    "multifieldqa_zh", "lcc", "repobench-p",
]  # fmt: skip


class Answer:
    """What GitHub's API answers; None where there is no such thing."""

    def __init__(self, content: Any) -> None:
        self.content, self.status_code = content, 200 if content is not None else 404

    def json(self) -> Any:
        return self.content

    def raise_for_status(self) -> None:
        if self.content is None:
            raise requests.HTTPError("404 Client Error: Not Found")


def github(commits: dict[str, dict[str, str]]) -> Any:
    """GitHub's API for the repository: {commit: {path: text}}. The id of a tree is its commit and its path."""

    def get(url: str, **options: Any) -> Answer:
        assert url.startswith("https://api.github.com/repos/THUDM/LongBench/")
        path, _, ref = url.partition("?ref=")
        if ref:
            text = commits.get(ref, {}).get(path.partition("/contents/")[2])
            return Answer(None if text is None else {"content": base64.b64encode(text.encode()).decode()})
        root, _, inside = url.partition("/git/trees/")[2].partition(":")
        below = [name[len(inside) :] for name in commits.get(root, {}) if name.startswith(inside)]
        tree = [
            {"path": name, "mode": "040000" if rest else "100644", "type": "tree" if rest else "blob", "sha": f"{root}:{inside}{name}/"}
            for name, rest in sorted({name.partition("/")[::2] for name in below}, reverse=True)
        ]  # fmt: skip
        return Answer({"tree": tree} if tree else None)

    return get


def commit(subsets: list[str]) -> dict[str, str]:
    """The two template files of a commit, beside the file that reads them."""
    files = {PROMPTS: dict.fromkeys(subsets, "{context} {input}"), LENGTHS: dict.fromkeys(subsets, 32)}
    return {f"config/{name}": json.dumps(content) for name, content in files.items()} | {"pred.py": ""}


@pytest.fixture(autouse=True)
def repository(monkeypatch: pytest.MonkeyPatch) -> None:
    """The repository at its first commit and at the pinned one."""
    GithubFileSystem.clear_instance_cache()
    monkeypatch.setattr(longbench_files, "reachable", lambda _: True)
    monkeypatch.setattr(requests, "get", github({COMMIT: commit(ALL), FIRST_COMMIT: commit(OF_FIRST)}))


def test_the_pinned_templates_have_every_default_subset() -> None:
    defaults = [str(subset) for subset in SETTINGS.subset]
    assert len(defaults) == 16
    assert read_templates(TEMPLATES, defaults) == dict.fromkeys(defaults, ("{context} {input}", 32))
    assert set(read_templates(TEMPLATES, ALL)) == set(ALL)


@pytest.mark.parametrize("subset", ["multi_news", "samsum", "passage_retrieval_en"])
def test_the_first_commit_lacks_some_of_them(subset: str) -> None:
    """The control: what was pinned before."""
    place = TEMPLATES.replace(COMMIT, FIRST_COMMIT)
    with pytest.raises(ValueError, match=f"task.subset holds '{subset}', which .* has no template for"):
        read_templates(place, [subset])
    assert read_templates(place, ["qasper"])


def test_another_folder_or_commit_is_refused() -> None:
    """The control: the layout decides. Later commits have the folder elsewhere."""
    for place in (TEMPLATES.replace("/config", "/LongBench/config"), TEMPLATES.replace(COMMIT, "0" * 40)):
        with pytest.raises(ValueError, match=r"dataset2prompt\.json cannot be read"):
            read_templates(place, ["qasper"])
