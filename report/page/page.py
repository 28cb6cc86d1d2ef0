"""report.html: one page with all of a run, which works from disk without network."""

from importlib import resources
from pathlib import Path

from tokenrank.records.writing import write_text
from tokenrank.report.page.data import page_data
from tokenrank.report.page.packing import digest, embedded_json
from tokenrank.report.rows.loaded_run import LoadedRun

LIMIT = 3_000_000  # bytes of the page; prompts are left out beyond, except where the overview alone is larger
SCRIPTS = (
    "parts.js", "curves.js", "methods.js", "tokens.js", "map.js", "missed.js", "tables.js", "view.js", "prompt.js",
    "page.js",
)  # fmt: skip


def write_page(run: LoadedRun) -> Path:
    """Writes report.html of a finished or unfinished run, whole or not at all.

    Args:
        run: its folder's levels of tokens are shown where it has them.

    Returns:
        The file.

    Raises:
        ValueError: a file of levels is damaged.
    """
    frame = page_text("")
    write_text(run.folder.page, page_text(embedded_json(page_data(run, LIMIT - len(frame.encode())))))
    return run.folder.page


def page_text(data: str) -> str:
    """The page around its data, which is JSON as ``embedded_json`` writes it. Its own script and style alone may run."""
    style, script = _file("page.css"), "\n".join(_file(name) for name in SCRIPTS)
    policy = f"default-src 'none'; style-src {digest(style)}; script-src {digest(script)}; base-uri 'none'; form-action 'none'"
    parts = {"POLICY": policy, "STYLE": style, "DATA": data, "SCRIPT": script}
    first, *others = _file("page.html").split("{{")
    pieces = [each.partition("}}") for each in others]
    return first + "".join(parts[name] + rest for name, _, rest in pieces)


def _file(name: str) -> str:
    return resources.files("tokenrank.report.page").joinpath(name).read_text(encoding="utf-8")
