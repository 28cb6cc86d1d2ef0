"""Errors of bad input as one sentence, without a traceback."""

import difflib
import re
import sys
from pathlib import Path

import yaml
from hydra.errors import MissingConfigException, OverrideParseException
from omegaconf import MissingMandatoryValue

from tokenrank.planning.not_chosen import unknown_setting

CONFIGS = Path(__file__).parent.parent / "configs"


class BadInput(Exception):
    """The input of a run is wrong; the message is one sentence that says what, its value and what is allowed."""


def one_sentence(error: BaseException) -> str:
    """The error in one line; for an unknown name of a config, with the most similar ones.

    >>> one_sentence(ValueError("window is 0,   must be at least 1"))
    'window is 0, must be at least 1'
    """
    launcher = re.search(r"hydra/launcher/(submitit_\w+)", str(error))
    if launcher:
        return (
            f"hydra/launcher: {launcher[1]} needs the package hydra-submitit-launcher: pip install 'tokenrank[slurm]'"
        )
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options:
        return _unknown_name(error.missing_cfg_file, sorted(error.options))
    missing = re.match(r"In '\w+': Could not load '(\w+/\w+)'", str(error))  # what Hydra says of a name in a list
    if missing:
        options = sorted(file.stem for file in (CONFIGS / missing[1]).parent.glob("*.yaml"))
        return _unknown_name(missing[1], options)
    said = " ".join(str(error).split()) or type(error).__name__
    if said.startswith("Config group override must be"):
        return f"{_no_name() or said}: a group takes a file's name or a list of names, as in heuristic=[claa,tova]"
    ambiguous = re.match(r"Ambiguous value for argument '([^']+)=(.*?)' 1\.", said)
    if ambiguous:
        return (
            f"{ambiguous[1]}={ambiguous[2]} holds a comma: a list is put in brackets, as in {ambiguous[1]}=[{ambiguous[2]}], a text in "
            f"quotes within quotes, as in \"{ambiguous[1]}='{ambiguous[2]}'\", and a sweep needs -m"
        )
    unknown = unknown_setting(said)
    if unknown:
        return unknown
    if isinstance(error, MissingMandatoryValue):
        return f"{error.full_key} is missing and has no default: give it, as in {error.full_key}=VALUE"
    if isinstance(error, OverrideParseException):
        if "missing EQUAL at" in said:
            return f"{error.override!r} has no value: every argument is NAME=VALUE, as in heuristic=claa"
        said = said.split(" See https://")[0]
        if said.count("[") + said.count("{") > said.count("]") + said.count("}"):
            return f"{said}; a list is written without blanks, or the whole argument in quotes, as in 'heuristic=[claa,gemfilter]'"
        return f"{said.removesuffix('.')}; a value with blanks or letters such as ü, ~, =, ( or {{ is put in quotes within quotes, as in \"model.name='a (b)'\""
    if isinstance(error, UnicodeDecodeError):
        return f"a file is not UTF-8 text: {said}"
    if isinstance(error, yaml.YAMLError):
        return f"a config file is not valid YAML: {said}"
    return said


def _no_name() -> str:
    """The argument that gives a group null or a number, which Hydra's message does not name; empty if there is none."""
    groups = "|".join(folder.name for folder in CONFIGS.iterdir() if folder.is_dir())
    return next((each for each in sys.argv[1:] if re.fullmatch(rf"({groups})=(null|true|false|[-+.\d]+)", each)), "")


def _unknown_name(config: str, options: list[str]) -> str:
    group, _, name = config.removesuffix(".yaml").rpartition("/")
    nearest = difflib.get_close_matches(name, options, n=3, cutoff=0.4)
    guess = f"; did you mean {' or '.join(nearest)}?" if nearest else "."
    return f"{group}={name} is not known{guess} There are: {', '.join(options)}"
