"""Asks a server for the greedy answers to a run's prompts, and writes them for the setting ``answers`` of that run (docs/store.md).

    python scripts/answers.py FILE URL [--served NAME] [--timeout SECONDS] [--compare] [OVERRIDES...]
    python scripts/answers.py answers.jsonl http://localhost:8000 model=llama3 task=niah

OVERRIDES are those of run.py; the server must have the same model. It may be any that has OpenAI's completions interface (/v1/completions);
chat alone is not enough, because it puts the server's template around the prompt. Prompts are sent as token ids; to a server that takes
none, as texts, if the tokenizer makes the same ids of them. NAME is the model's name at the server, where it wants one. A key is read from
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

import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from tqdm import tqdm

from tokenrank.capture.decoding import Decoding
from tokenrank.capture.reading import read
from tokenrank.evaluation.plan import Plan
from tokenrank.planning.bad_input import one_sentence
from tokenrank.planning.brought_answers import BroughtAnswer, brought_answers, check_prompt, read_answers
from tokenrank.planning.completions import Server, Unanswered, Unreachable
from tokenrank.planning.composing import check_overrides, register
from tokenrank.planning.making import CONFIGS, make_plan
from tokenrank.planning.not_chosen import check_chosen
from tokenrank.planning.path_arguments import with_paths
from tokenrank.records.digests import ids_digest
from tokenrank.records.messages import log, messages_to_terminal
from tokenrank.records.visible_text import say
from tokenrank.tasks.tokens import tokens_of
from tokenrank.work.loading import load_model


def main(file: Path, server: Server, overrides: Sequence[str], *, compare: bool) -> int:
    """Asks for every answer that the file lacks; returns the exit code."""
    plan = _plan(overrides)
    known = _begun(file)
    for prompt in plan.prompts:
        if prompt.id in known:
            check_prompt(file, prompt, known[prompt.id])
    missing = _ask(plan, server, file, known)
    print(f"{len(plan.prompts) - missing} of {len(plan.prompts)} prompts have an answer in {file}")
    if compare and not missing:
        same, others = _compared(plan, file)
        print(f"{same} of {len(plan.prompts)} answers have the tokens that are decoded here")
        print(*others, sep="\n", end="\n" if others else "")
    return 1 if missing else 0


def _plan(overrides: Sequence[str]) -> Plan:
    register(CONFIGS)
    check_overrides(overrides)
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONFIGS.resolve()), version_base="1.3"):
        config = compose("run", list(overrides))
    check_chosen(overrides, config)
    if config.get("answers") is not None:
        raise ValueError(f"answers is {config.answers}, must be null here: the answers are asked for")
    return make_plan(config)


def _begun(file: Path) -> dict[str, BroughtAnswer]:
    """The answers that the file has; a last line that a killed process did not finish is taken out."""
    if not file.exists():
        return {}
    content = file.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        log.warning("%s ends in half a line, which is taken out", file)
        os.truncate(file, len(whole))
    return read_answers(file) if whole.strip() else {}


def _ask(plan: Plan, server: Server, file: Path, known: dict[str, BroughtAnswer]) -> int:
    """Appends the answers that the file lacks; returns how many it lacks still."""
    wanted = [prompt for prompt in plan.prompts if prompt.id not in known]
    not_first = sum(bool(prompt.not_first_ids) for prompt in wanted)
    if not_first:
        log.info("note: %d answers may not begin with some tokens here, which a server cannot be told", not_first)
    answered = otherwise = 0
    for prompt in tqdm(wanted, disable=None, unit="answer"):
        try:
            text, made = server.answer(plan.tokenizer, prompt)
        except Unanswered as error:
            log.warning("prompt %s: %s", prompt.id, error)
            if prompt is wanted[0]:
                break  # it is not this prompt that is wrong
            continue
        _append(file, {"id": prompt.id, "answer": text, "input_ids_sha256": ids_digest(prompt.input_ids)})
        answered += 1
        otherwise += made is not None and made - len(tokens_of(plan.tokenizer, text)) not in (0, 1)  # 1: an end token
    if otherwise:
        log.info("note: %d texts are tokenised to another number of tokens than the server made", otherwise)
    return len(wanted) - answered


def _append(file: Path, line: dict[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as opened:
        opened.write(json.dumps(line) + "\n")


def _compared(plan: Plan, file: Path) -> tuple[int, list[str]]:
    """How many of the file's answers have the tokens that the model decodes here, and a line for each other one."""
    model = load_model(plan)
    brought, others = brought_answers(file, plan.prompts, plan.tokenizer), []
    for prompt in tqdm(plan.prompts, disable=None, unit="answer"):
        decoding = Decoding.of(model, ends=prompt.stop_ids, not_first=prompt.not_first_ids)
        ids, limit = torch.tensor(prompt.input_ids), prompt.max_new_tokens
        own = read(model, ids, lambda _: None, max_new_tokens=limit, decoding=decoding).answer_ids.tolist()
        theirs = list(brought[prompt.id])
        own, theirs = (
            ids[:-1] if ids[-1] in decoding.ends else ids for ids in (own, theirs)
        )  # a text has no end token
        if theirs != own:
            place = next(
                (i for i, (a, b) in enumerate(zip(own, theirs, strict=False)) if a != b), min(len(own), len(theirs))
            )
            others.append(
                f"prompt {prompt.id}: they differ at token {place} of {len(own)} here and {len(theirs)} in the file"
            )
    return len(plan.prompts) - len(others), others


def command(arguments: list[str]) -> int:
    """``FILE URL [--served NAME] [--timeout SECONDS] [--compare] [OVERRIDES...]``."""
    parser = argparse.ArgumentParser(
        "answers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("url")
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("--served", metavar="NAME", help="the model's name at the server")
    parser.add_argument("--timeout", type=float, default=600.0, metavar="SECONDS", help="for one answer (default: 600)")
    parser.add_argument(
        "--compare", action="store_true", help="then decode here too, and say how many answers are the same"
    )
    asked = parser.parse_intermixed_args(arguments)
    messages_to_terminal()
    try:
        server = Server(asked.url, asked.served, asked.timeout)
        return main(asked.file.expanduser(), server, with_paths(asked.overrides), compare=asked.compare)
    except Unreachable as error:
        say(f"error: {error}; the answers so far are kept, the same command goes on")
        return 1
    except KeyboardInterrupt:
        print("interrupted: the answers so far are kept, the same command goes on", file=sys.stderr)
        return 130
    except Exception as error:  # composing, planning or the file: the input is what is wrong
        say(f"error: {one_sentence(error)}")
        return 2


if __name__ == "__main__":
    sys.exit(command(sys.argv[1:]))
