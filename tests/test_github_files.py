"""CITATION.cff and .github/: valid, and every file, target of make and secret of theirs is there."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.command import ROOT

FORMS = [each for each in sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")) if each.name != "config.yml"]
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"
FIELDS = {"markdown", "input", "textarea", "dropdown", "checkboxes"}  # of GitHub's forms
NAMED_FILE = re.compile(r"`([\w./]+\.(?:md|py|yaml|yml|txt))`")


def loaded(file: Path) -> Any:
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def targets() -> set[str]:
    (line,) = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    return set(line.split())


def commands() -> list[str]:
    """All that the workflow runs, line by line."""
    steps = [step for job in loaded(WORKFLOW)["jobs"].values() for step in job["steps"]]
    return [line.strip() for step in steps for line in step.get("run", "").splitlines() if line.strip()]


def test_the_workflow_runs_the_checks_on_every_python_that_is_supported() -> None:
    jobs = loaded(WORKFLOW)["jobs"]
    assert jobs["test"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]
    made = {command.split()[1] for command in commands() if command.startswith("make ")}
    assert made == {"check", "test"}
    assert made <= targets()
    installed = " ".join(command for command in commands() if "apt-get install" in command)
    by_ci = re.findall(r"chromium latexmk [\w -]+", (ROOT / ".ci" / "run").read_text(encoding="utf-8"))
    assert by_ci
    assert set(by_ci[0].split()) <= set(installed.split())  # what the tests of pages and tables need
    assert 'requires-python = ">=3.11"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_the_workflow_builds_and_publishes_the_site() -> None:
    jobs = loaded(WORKFLOW)["jobs"]
    assert "mkdocs build --strict" in commands()
    assert (ROOT / "mkdocs.yml").is_file()
    assert set(jobs["publish"]["needs"]) <= set(jobs)
    assert [step["uses"].partition("@")[0] for step in jobs["publish"]["steps"]] == ["actions/deploy-pages"]
    assert jobs["publish"]["permissions"] == {"pages": "write", "id-token": "write"}
    assert loaded(WORKFLOW)["permissions"] == {"contents": "read"}


def test_every_file_that_the_workflow_names_is_there() -> None:
    named = re.findall(r"[\w.]+\.(?:txt|toml)\b", WORKFLOW.read_text(encoding="utf-8"))
    assert named
    assert all((ROOT / name).is_file() for name in named)


def test_there_is_a_form_for_a_heuristic_a_result_and_a_bug() -> None:
    assert [form.stem for form in FORMS] == ["bug", "heuristic", "result"]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.stem)
def test_a_form_is_what_github_wants_and_names_files_that_are_there(form: Path) -> None:
    content = loaded(form)
    assert {"name", "description", "body"} <= set(content) <= {"name", "description", "title", "labels", "body"}
    ids = [field["id"] for field in content["body"] if field["type"] != "markdown"]
    assert len(set(ids)) == len(ids)
    for field in content["body"]:
        assert field["type"] in FIELDS
        assert field["attributes"].get("value" if field["type"] == "markdown" else "label")
        assert set(field.get("validations", {})) <= {"required"}
    assert any(field.get("validations", {}).get("required") for field in content["body"])
    written = {"environment.json", "config.yaml"}  # in a run folder, as results/README.md says
    for name in NAMED_FILE.findall(form.read_text(encoding="utf-8")):
        assert (ROOT / name).is_file() or name in written, name


def test_the_citation_has_what_the_format_demands_and_names_the_paper() -> None:
    """CFF 1.2.0: cff-version, message, title and authors are required; the licence is one of SPDX."""
    content = loaded(ROOT / "CITATION.cff")
    assert content["cff-version"] == "1.2.0"
    assert content["message"]
    assert content["title"]
    assert content["authors"] == [{"name": "the tokenrank developers"}]
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'version = "{content["version"]}"' in project
    assert f'license = "{content["license"]}"' in project
    (paper,) = content["references"]
    assert [author["family-names"] for author in paper["authors"]] == ["McDanel", "Li", "Khaitan"]
    assert (paper["year"], paper["url"]) == (2026, "https://arxiv.org/abs/2602.16054")
    assert paper["title"].split(":")[1].strip() in " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
