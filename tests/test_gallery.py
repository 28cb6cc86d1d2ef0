"""docs/gallery.md: every picture of the documents, each with the command that made it."""

import re
from pathlib import Path

import pytest

from tests.command import ROOT

IMAGES = ROOT / "docs" / "images"
PICTURE = re.compile(r"!\[[^\]]+\]\(([^)]+)\)")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "results" / "README.md", *sorted(ROOT.glob("docs/*.md"))]
SECTION = re.compile(r"^## ", re.MULTILINE)


def sections() -> list[str]:
    return SECTION.split((ROOT / "docs" / "gallery.md").read_text(encoding="utf-8"))[1:]


def test_every_picture_is_in_the_gallery_once() -> None:
    shown = [picture for section in sections() for picture in PICTURE.findall(section)]
    assert sorted(shown) == sorted(f"images/{file.name}" for file in IMAGES.iterdir())


def test_each_picture_of_the_gallery_has_one_command() -> None:
    for section in sections():
        assert len(PICTURE.findall(section)) == 1, section
        commands = re.findall(r"^```\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
        assert len(commands) == 1, section
        assert re.match(r"python run\.py|python scripts/|make |tokenrank ", commands[0]), section


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_picture_that_a_page_names_exists(page: Path) -> None:
    for picture in PICTURE.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / picture).is_file(), picture


def test_pictures_are_found_on_the_pages() -> None:
    assert sum(bool(PICTURE.search(page.read_text(encoding="utf-8"))) for page in PAGES) >= 4
