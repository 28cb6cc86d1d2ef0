"""report.html in a headless Chromium that may reach nothing but the file."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ARGUMENTS = [
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", *(["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
]  # fmt: skip


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser with a profile of its own; the test is skipped where there is none."""
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed (chromium, chromium-browser or google-chrome)")
    api: Any = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed (pip install tokenrank[dev])"
    )
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS, headless=True)
        yield browser
        browser.close()


class Opened:
    """A page, what it complained about and what it asked for beside itself."""

    def __init__(self, browser: Any, file: Path, view: str = "", scheme: str = "light", width: int = 1280) -> None:
        self.file, self.complaints, self.requests = file, list[str](), list[str]()
        self.context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.page = self.context.new_page()
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.route("**/*", self._route)
        self.page.goto(file.as_uri() + view)
        self.drawn()

    def _route(self, route: Any) -> None:
        self.requests.append(route.request.url)
        if route.request.url.partition("#")[0] == self.file.as_uri():
            route.continue_()
        else:
            route.abort()

    def drawn(self) -> None:
        """Waits until what the address says is shown; the page's policy forbids Playwright's own way to wait."""
        for _ in range(200):
            if self.page.evaluate("document.body.dataset.shown === location.hash"):
                return
            self.page.wait_for_timeout(50)
        raise TimeoutError(f"{self.page.url} was not shown: {self.complaints}")

    def choose(self, view: str) -> None:
        """Goes to a view as a link does."""
        self.page.evaluate("view => { location.hash = view }", view)
        self.drawn()

    def tokens(self, what: str) -> list[Any]:
        """An expression of each token's element ``e``, and of its computed style ``s``."""
        found: list[Any] = self.page.evaluate(
            f"[...document.querySelectorAll('#tokens > span')].map(e => {{ const s = getComputedStyle(e); return {what}; }})"
        )
        return found

    def table(self, name: str) -> list[list[str]]:
        """Texts of a table's body."""
        found: list[list[str]] = self.page.evaluate(
            "name => [...document.querySelectorAll(name + ' tbody tr')].map(row => [...row.cells].map(cell => cell.textContent))",
            name,
        )
        return found

    def close(self) -> None:
        """Refuses what the page complained about, and whatever it asked for."""
        self.context.close()
        assert self.complaints == []
        assert {url.partition("#")[0] for url in self.requests} == {self.file.as_uri()}
