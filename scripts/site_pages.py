"""A hook of mkdocs: documents outside of docs/ become pages of the site, and links lead to pages.

mkdocs.yml names this file. On GitHub links between documents are paths in the repository; the site has all documents in one folder. A
link to a file that is no document, such as a script, becomes its path as code, as the site has no such file.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
OUTSIDE = {
    "README.md": "readme.md",
    "results/README.md": "run_folder.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}  # document -> page of the site
TOKEN = re.compile(
    r"(?P<fence>^(?:```|~~~).*?^(?:```|~~~)[^\n]*$)"
    r"|(?P<mark>!?)\[(?P<label>(?:[^\[\]]|\[[^\]]*\])*)\]\((?P<target>[^)\s]+)\)"
    r"|(?P<code>`[^`\n]+`)",
    re.MULTILINE | re.DOTALL,
)  # what comes first: a block of code, a link or a picture, or code in a line


def on_files(files: Any, config: Any) -> Any:
    """Adds the documents of ``OUTSIDE`` to the site's files."""
    from mkdocs.structure.files import File  # only the site needs it

    for document, page in OUTSIDE.items():
        files.append(File.generated(config, page, content=(ROOT / document).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """The page's text with the site's links."""
    outside = {name: document for document, name in OUTSIDE.items()}
    return site_links(markdown, outside.get(page.file.src_uri, f"docs/{page.file.src_uri}"))


def site_links(markdown: str, document: str) -> str:
    """A document's text with links to the site's pages in place of paths in the repository; code stays as it is.

    Args:
        markdown: the text.
        document: its path in the repository.

    Raises:
        ValueError: a link leads to no file of the repository.

    >>> site_links("[a](docs/prompts.md#parts), [b](LICENSE)", "README.md")
    '[a](prompts.md#parts), b (`LICENSE`)'
    """
    return TOKEN.sub(lambda found: _moved(found, document), markdown)


def _moved(found: re.Match[str], document: str) -> str:
    if found["fence"]:
        return found[0]
    if found["code"]:  # GitHub wants a backslash before the bar in a table, and the site shows it
        return found[0].replace("\\|", "|")
    mark, label, target = found["mark"], found["label"], found["target"]
    if re.match(r"[a-z]+:|#", target):
        return found[0]
    place, _, anchor = target.partition("#")
    path = posixpath.normpath(posixpath.join(posixpath.dirname(document), place))
    if path.startswith("..") or not (ROOT / path).is_file():
        raise ValueError(f"{document}: a link leads to {path}, and there is no such file")
    if path in OUTSIDE or path.startswith("docs/"):
        page = OUTSIDE.get(path, path.removeprefix("docs/"))
        return f"{mark}[{label}]({page}{'#' if anchor else ''}{anchor})"
    if label.startswith("`"):
        return label
    return f"`{path}`" if label == path else f"{label} (`{path}`)"
