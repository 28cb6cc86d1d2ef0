"""The site of the documents: links of GitHub become links of the site, every page is in it, and mkdocs builds it without a warning."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.site_pages import OUTSIDE, ROOT, site_links

DOCUMENTS = [*OUTSIDE, *(f"docs/{page.name}" for page in sorted((ROOT / "docs").glob("*.md")))]


@pytest.mark.parametrize(
    ("text", "document", "wanted"),
    [
        ("[a](docs/prompts.md#parts)", "README.md", "[a](prompts.md#parts)"),
        ("[a](../results/README.md#fidelity)", "docs/prefill.md", "[a](run_folder.md#fidelity)"),
        ("[a](../docs/store.md)", "results/README.md", "[a](store.md)"),
        ("[a](store.md)", "docs/studies.md", "[a](store.md)"),
        ("[a](#below), [b](https://x.org/a.md)", "docs/store.md", "[a](#below), [b](https://x.org/a.md)"),
        ("[the licence](LICENSE) [Makefile](Makefile)", "README.md", "the licence (`LICENSE`) `Makefile`"),
        ("[`run.py`](../run.py)", "docs/store.md", "`run.py`"),
        (
            "`[a](nowhere.md)`\n```\n[b](nowhere.md)\n```\n",
            "README.md",
            "`[a](nowhere.md)`\n```\n[b](nowhere.md)\n```\n",
        ),
        ("`a\\|b`", "README.md", "`a|b`"),
    ],
)
def test_links_lead_to_pages(text: str, document: str, wanted: str) -> None:
    assert site_links(text, document) == wanted


@pytest.mark.parametrize("target", ["none.md", "docs", "../outside.md", "docs/images/none.png"])
def test_a_link_to_no_file_is_refused(target: str) -> None:
    with pytest.raises(ValueError, match=r"README\.md: a link leads to .*, and there is no such file"):
        site_links(f"before [a]({target}) after", "README.md")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_of_every_document_leads_to_a_file(document: str) -> None:
    assert site_links((ROOT / document).read_text(encoding="utf-8"), document)


def pages(entries: list[Any]) -> list[str]:
    """The pages of a nav, in its order."""
    found: list[str] = []
    for entry in entries:
        for place in entry.values():
            found += pages(place) if isinstance(place, list) else [place]
    return found


def test_every_page_is_in_the_navigation_once() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    nav = yaml.safe_load(text[text.index("\nnav:") :])["nav"]
    there = [*OUTSIDE.values(), *(page.name for page in (ROOT / "docs").glob("*.md"))]
    assert sorted(pages(nav)) == sorted(there)


def build(config: Path, target: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(config), "-d", str(target)]
    return subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False)


@pytest.mark.skipif(importlib.util.find_spec("mkdocs") is None, reason="mkdocs is not installed (extra docs)")
def test_mkdocs_builds_the_site_without_a_warning(tmp_path: Path) -> None:
    """The control: a page that the navigation lacks is a warning, with which --strict ends."""
    built = build(ROOT / "mkdocs.yml", tmp_path / "site")
    assert built.returncode == 0, built.stderr
    page = (tmp_path / "site" / "prefill" / "index.html").read_text(encoding="utf-8")
    assert 'href="../run_folder/#fidelity"' in page
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    lacking = "\n".join(line for line in text.splitlines() if "terms.md" not in line)
    (tmp_path / "mkdocs.yml").write_text(
        lacking.replace("docs_dir: docs", f"docs_dir: {ROOT / 'docs'}").replace("[scripts/", f"[{ROOT}/scripts/")
    )
    assert "terms.md" in build(tmp_path / "mkdocs.yml", tmp_path / "other").stderr
