"""What ``--help`` and ``--version`` print."""

import re
from collections.abc import Sequence
from importlib.metadata import version as installed_version
from pathlib import Path
from textwrap import fill

CONFIGS = Path(__file__).parent.parent / "configs"
WIDTH = 80
GROUPS = (
    "heuristic",
    "task",
    "model",
    "evaluation",
    "metric",
    "universe",
    "experiment",
    "logger",
    "executor",
)  # that one chooses from
USAGE = """\
Ranks a prompt's tokens by heuristics and measures the rankings layer by layer.

  tokenrank 'heuristic=[claa,gemfilter]' task=niah    rankings against the truth
  tokenrank evaluation=accuracy heuristic=claa        answers of pruned prefill
  tokenrank evaluation=ttft model=llama3              seconds to the first token
  tokenrank task=prompts task.path='my data.jsonl'    prompts of your own
  tokenrank -m heuristic.claa.n=1,4 seed=0,1          a sweep: all combinations

Choices, as in task=ruler; heuristic and metric also take lists, 'metric=[a,b]':
{choices}

Settings, as in seed=1; configs/ and docs/settings.md explain every one:
  task.lengths=[1024,4096]    prompt tokens       prefill.keep=[10,20]  percent
  task.samples=20             how many prompts    k=[5,10,20,40]        percent
  model.path=PATH             or a hub's name     prefill.protect=frame
  heuristic.claa.window=32    of a chosen one     answers=FILE, answer=reference
  hydra.run.dir=FOLDER        the run folder      store=null, overwrite=true

  --cfg job      the settings of a run, which is not started
  --version      --hydra-help: options of Hydra, such as -m and --config-dir
  estimate=true  what a run would take, from two of its prompts
The same command goes on with a run that was interrupted. Exit codes: 0; 1 some
prompts failed; 2 bad input; 130 interrupted, 143 terminated."""


def asked_for(arguments: Sequence[str]) -> str | None:
    """The text that ``--help`` or ``--version`` asks for; None where neither is given."""
    if any(_means(each, "--version") for each in arguments):
        return f"tokenrank {version()}"
    return usage() if any(each == "-h" or _means(each, "--help") for each in arguments) else None


def usage() -> str:
    """The groups with their values, settings and examples, in lines of 80 letters."""
    first = max(map(len, GROUPS)) + 4
    lines = []
    for group in GROUPS:
        names = ", ".join([*(file.stem for file in sorted((CONFIGS / group).glob("*.yaml"))), *_more(group)])
        begin = f"  {group}".ljust(first)
        lines.append(fill(names, WIDTH, initial_indent=begin, subsequent_indent=" " * first, break_on_hyphens=False))
    return USAGE.format(choices="\n".join(lines))


def version() -> str:
    """Of tokenrank: of a checkout what pyproject.toml says, else that of the installed package."""
    project = CONFIGS.parent / "pyproject.toml"
    text = project.read_text(encoding="utf-8") if project.exists() else ""
    said = re.search(r'^version = "(.+)"$', text, re.MULTILINE)
    return said[1] if said else installed_version("tokenrank")


def _means(argument: str, option: str) -> bool:
    """Whether an argument is an option, or its beginning, as argparse takes it; ``--h`` may also be ``--hydra-help``."""
    return option.startswith(argument) and len(argument) > len("--h" if option == "--help" else "--")


def _more(group: str) -> list[str]:
    """Values that are no file."""
    return ["all"] if group == "heuristic" else []
