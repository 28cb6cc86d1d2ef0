"""Asks a server for the greedy answers to a run's prompts, and writes them for the setting ``answers`` of that run.

    python scripts/answers.py FILE URL [--served NAME] [--timeout SECONDS] [OVERRIDES...]
    python scripts/answers.py answers.jsonl http://localhost:8000 model=llama3 task=niah

OVERRIDES are those of run.py; the server must have the same model. It may be any that has OpenAI's completions interface (/v1/completions);
chat alone is not enough, because it puts the server's template around the prompt. Prompts are sent as token ids; to a server that takes
none, as texts, if its tokenizer makes the same ids of them. NAME is the model's name at the server, where it wants one. A key is read from
the environment variable TOKENRANK_API_KEY. Answers that FILE has already are not asked for again: the same command goes on where it stopped.
Installed: python -m tokenrank.answers. Exit codes: 0; 1 if a prompt has no answer; 2 for bad input; 130 interrupted.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from tqdm import tqdm

from tokenrank.evaluation.plan import Plan
from tokenrank.planning.bad_input import one_sentence
from tokenrank.planning.brought_answers import check_prompt, read_answers
from tokenrank.planning.completions import Server, Unanswered, Unreachable
from tokenrank.planning.composing import check_overrides, register
from tokenrank.planning.making import CONFIGS, make_plan
from tokenrank.records.digests import ids_digest
from tokenrank.records.messages import log, messages_to_terminal
from tokenrank.tasks.tokens import tokens_of


def main(file: Path, server: Server, overrides: Sequence[str]) -> int:
    """Asks for every answer that the file lacks; returns the exit code."""
    plan = _plan(overrides)
    known = _begun(file)
    for prompt in plan.prompts:
        if prompt.id in known:
            check_prompt(file, prompt, known[prompt.id])
    wanted = [prompt for prompt in plan.prompts if prompt.id not in known]
    not_first = sum(bool(prompt.not_first_ids) for prompt in wanted)
    if not_first:
        log.info("note: %d answers may not begin with some tokens here, which a server cannot be told", not_first)
    failed, otherwise = 0, 0
    for prompt in tqdm(wanted, disable=None, unit="answer"):
        try:
            text, made = server.answer(plan.tokenizer, prompt)
        except Unanswered as error:
            log.warning("prompt %s: %s", prompt.id, error)
            failed += 1
            if failed == 1 and prompt is wanted[0]:
                break  # so will be the others
            continue
        _append(file, {"id": prompt.id, "answer": text, "input_ids_sha256": ids_digest(prompt.input_ids)})
        otherwise += made is not None and made - len(tokens_of(plan.tokenizer, text)) not in (0, 1)  # 1: the end token
    there = len(set(_begun(file)) & {prompt.id for prompt in plan.prompts})
    print(f"{there} of {len(plan.prompts)} prompts have an answer in {file}")
    if otherwise:
        print(f"note: {otherwise} of the new answers, as texts, have another number of tokens than the server made")
    return 1 if there < len(plan.prompts) else 0


def _plan(overrides: Sequence[str]) -> Plan:
    register(CONFIGS)
    check_overrides(overrides)
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONFIGS.resolve()), version_base="1.3"):
        config = compose("run", list(overrides))
    if config.get("answers") is not None:
        raise ValueError(f"answers is {config.answers}, must be null here: the answers are asked for")
    return make_plan(config)


def _begun(file: Path) -> dict[str, Any]:
    """The answers that the file has; a last line that a killed process did not finish is taken out."""
    if not file.exists():
        return {}
    content = file.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        log.warning("%s ends in half a line, which is taken out", file)
        os.truncate(file, len(whole))
    return dict(read_answers(file)) if whole.strip() else {}


def _append(file: Path, line: dict[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as opened:
        opened.write(json.dumps(line) + "\n")


def command(arguments: list[str]) -> int:
    """``FILE URL [--served NAME] [--timeout SECONDS] [OVERRIDES...]``."""
    parser = argparse.ArgumentParser(
        "answers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("url")
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("--served", metavar="NAME", help="the model's name at the server")
    parser.add_argument("--timeout", type=float, default=600.0, metavar="SECONDS", help="for one answer (default: 600)")
    asked = parser.parse_intermixed_args(arguments)
    messages_to_terminal()
    try:
        return main(asked.file.expanduser(), Server(asked.url, asked.served, asked.timeout), asked.overrides)
    except Unreachable as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: the same command goes on", file=sys.stderr)
        return 130
    except Exception as error:  # nothing was asked yet: the input is what is wrong
        print(f"error: {one_sentence(error)}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(command(sys.argv[1:]))
