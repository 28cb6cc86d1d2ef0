"""Arguments that name files and folders: taken as they are typed, with ``~`` replaced, and quoted as Hydra's grammar wants them."""

import re
from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import EnumNode
from omegaconf.errors import ValidationError

from tokenrank.models.weight_files import user_path

# the settings whose value is a path (or a hub id, which is left as it is)
PATHS = (
    "task.path", "task.templates", "answers", "store", "model.path", "heuristic.*.draft", "logger.folder", "hydra.run.dir", "hydra.sweep.dir",
)  # fmt: skip
OPTIONS = ("--config-dir", "-cd", "--config-path", "-cp")  # of Hydra; their value is a folder
SWEEPING = "--multirun"
_SETTINGS = "|".join(re.escape(each).replace(r"\*", r"\w+") for each in PATHS)
_PATH = re.compile(rf"(\+{{0,2}}(?:{_SETTINGS}))=(.+)", re.DOTALL)
_OPTION = re.compile(r"(-\w+|--config-\w+)=(~.*)", re.DOTALL)
_MODE = re.compile(r"\+{0,2}hydra\.mode=")
_CHOICE = re.compile(r"choice\((.*)\)", re.DOTALL)
CLOSING = {"(": ")", "[": "]", "{": "}"}


def with_paths(arguments: Sequence[str]) -> list[str]:
    """The arguments of a command, each path in a form that Hydra reads as it was typed.

    Blanks, commas, parentheses, braces and ``=`` in a path need no quotes beyond those of the shell; quotes around a value, ``null``, ``true`` and
    ``false``, lists such as ``[a,b]`` and references such as ``${oc.env:HOME}`` mean what they mean to Hydra. In a sweep commas separate
    paths, unless they are in quotes or between brackets.

    Raises:
        ValueError: a path begins with ``~`` and there is no home directory to put there.

    >>> with_paths(["task.path=my data/a=b.jsonl", "model=tiny", "store=null", "answers='it is, quoted.jsonl'"])
    ["task.path='my data/a=b.jsonl'", 'model=tiny', 'store=null', "answers='it is, quoted.jsonl'"]
    """
    sweeping = any(map(_sweeps, arguments))
    return [_argument(each, sweeping=sweeping) for each in arguments]


def _argument(argument: str, *, sweeping: bool) -> str:
    option, path = _OPTION.fullmatch(argument), _PATH.fullmatch(argument)
    if option and any(name == option[1] or name.startswith(option[1]) for name in OPTIONS):
        return f"{option[1]}={user_path(option[1], option[2])}"
    if not path:
        return argument
    setting, value = path.groups()
    name = setting.lstrip("+")
    if not sweeping:
        return f"{setting}={_value(name, value)}"
    choice = _CHOICE.fullmatch(value)
    parts = ",".join(_value(name, part) for part in _parts(choice[1] if choice else value))
    return f"{setting}=choice({parts})" if choice else f"{setting}={parts}"


def _sweeps(argument: str) -> bool:
    """Whether an argument makes the command a sweep: ``-m``, ``--multirun``, what argparse takes for it, or ``hydra.mode``."""
    mode = _parsed(argument) if _MODE.match(argument) else None
    if mode is None:
        return argument == "-m" or (argument.startswith("--m") and SWEEPING.startswith(argument))
    given: Any = mode.value()
    try:
        return EnumNode(RunMode, given) == RunMode.MULTIRUN
    except ValidationError:
        return False  # Hydra will say so


def _parts(value: str) -> list[str]:
    """The paths of a sweep: what stands between commas that are not in quotes or between brackets.

    >>> _parts("~/a,'b, c',d (1, 2),${e:f,${g}},it's")
    ['~/a', "'b, c'", 'd (1, 2)', '${e:f,${g}}', "it's"]
    """
    found, begin, expected = [], 0, list[str]()  # expected: the letters that close what is open
    for place, letter in enumerate(value):
        inside = expected[-1] if expected else ""
        if inside in ("'", '"'):
            if letter == inside and value[place - 1] != "\\":
                expected.pop()
        elif letter in ("'", '"') and not value[begin:place].strip():
            expected.append(letter)
        elif letter == inside:
            expected.pop()
        elif letter in CLOSING:
            expected.append(CLOSING[letter])
        elif letter == "," and not expected:
            found.append(value[begin:place])
            begin = place + 1
    return [*found, value[begin:]]


def _value(setting: str, typed: str) -> str:
    """What a path has to look like behind the ``=``."""
    parsed = _parsed(f"{setting}={typed}")
    value = None if parsed is None else parsed.value()
    if isinstance(value, str) and typed[:1] in ("'", '"'):
        return _quoted(_at_home(setting, value)) if value.startswith("~") else typed
    meant = (
        value is None
        or isinstance(value, list | dict)
        or (isinstance(value, bool) and not setting.startswith("hydra."))
    )
    if parsed is not None and meant:
        return typed
    path = _at_home(setting, typed)
    plain = _parsed(f"{setting}={path}")
    as_typed = plain is not None and not plain.is_sweep_override() and plain.value() == path
    return path if as_typed else _quoted(path)


def _at_home(setting: str, path: str) -> str:
    return str(user_path(setting, path)) if path.startswith("~") else path


def _quoted(path: str) -> str:
    """In single quotes; only backslashes in front of a quote have to be doubled."""
    escaped = re.sub(r"(\\*)'", lambda found: found[1] * 2 + r"\'", path)
    trailing = re.sub(r"(\\+)$", lambda found: found[1] * 2, escaped)
    return f"'{trailing}'"


def _parsed(argument: str) -> Override | None:
    try:
        return OverridesParser.create().parse_override(argument)
    except HydraException:
        return None
