"""Writes questions about this project's own documents as prompts.

    python scripts/questions.py FILE.jsonl

Real documents, real questions, no download: what ``make demo`` runs, and an example of the format of task=prompts.
"""

import json
import sys
from pathlib import Path

from tokenrank.records.writing import write_text

ROOT = Path(__file__).resolve().parent.parent
QUESTIONS = (
    ("docs/python.md", "What does tokenrank.answer do?", ["generates an answer"]),
    ("docs/terms.md", "What is the keep rate?", ["percent of the prompt"]),
    ("docs/gpu.md", "What does nvidia-smi show?", ["driver"]),
    ("docs/reading_plots.md", "What does the grey line mark?", ["chance"]),
    ("docs/index.md", "Which page says what a word means?", ["Terms"]),
    ("docs/kvpress.md", "Which package has the presses?", ["kvpress"]),
)  # document, question, right answers


def main(target: Path) -> None:
    """One prompt a document."""
    lines = []
    for document, question, answers in QUESTIONS:
        text = (ROOT / document).read_text(encoding="utf-8")
        fields = {
            "id": document.replace("/", "_").removesuffix(".md"),
            "prompt": f"Read this document.\n\n{text}\n\nQuestion: {question} Answer in one sentence.",
            "context": text,
            "question": question,
            "answers": answers,
            "max_new_tokens": 48,
            "chat_template": True,
        }
        lines.append(json.dumps(fields))
    write_text(target, "\n".join(lines) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
