"""Arguments that name files and folders: taken as they are typed, with ``~`` replaced, and quoted as Hydra's grammar wants them."""

import re
from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from tokenrank.models.weight_files import user_path

# the settings whose value is a path (or a hub id, which is left as it is)
PATHS = (
    "task.path", "task.templates", "answers", "store", "model.path", "heuristic.*.draft", "logger.folder", "hydra.run.dir", "hydra.sweep.dir",
)  # fmt: skip
OPTIONS = ("--config-dir", "-cd", "--config-path", "-cp")  # of Hydra; their value is a folder
SWEEPING = ("-m", "--multirun")
_SETTINGS = "|".join(re.escape(each).replace(r"\*", r"\w+") for each in PATHS)
_PATH = re.compile(rf"(\+{{0,2}}(?:{_SETTINGS}))=(.+)", re.DOTALL)
OUTSIDE = re.compile(r",(?![^{}]*\})")  # a comma that is not within ${...}
_OPTION = re.compile(rf"({'|'.join(OPTIONS)})=(~.*)", re.DOTALL)


def with_paths(arguments: Sequence[str]) -> list[str]:
    """The arguments of a command, each path in a form that Hydra reads as it was typed.

    Blanks, commas, parentheses, braces and ``=`` in a path need no quotes beyond those of the shell; quotes around a value, ``null``
    and references such as ``${oc.env:HOME}`` mean what they mean to Hydra. With ``-m`` commas separate paths, unless a path is in quotes.

    Raises:
        ValueError: a path begins with ``~`` and there is no home directory to put there.

    >>> with_paths(["task.path=my data/a=b.jsonl", "model=tiny", "store=null", "answers='it is, quoted.jsonl'"])
    ["task.path='my data/a=b.jsonl'", 'model=tiny', 'store=null', "answers='it is, quoted.jsonl'"]
    """
    sweeping = any(each in SWEEPING for each in arguments)
    return [_argument(each, sweeping=sweeping) for each in arguments]


def _argument(argument: str, *, sweeping: bool) -> str:
    option, path = _OPTION.fullmatch(argument), _PATH.fullmatch(argument)
    if option:
        return f"{option[1]}={user_path(option[1], option[2])}"
    if not path:
        return argument
    setting, value = path.groups()
    parts = OUTSIDE.split(value) if sweeping and not re.search("['\"(\\[{]", value.replace("${", "")) else [value]
    parsed = _parsed(argument)
    if len(parts) == 1 and sweeping and parsed is not None and parsed.is_sweep_override():
        return argument  # quoted paths, or choice(...)
    name = setting.lstrip("+")
    return f"{setting}={','.join(_value(name, part) for part in parts)}"


def _value(setting: str, typed: str) -> str:
    """What a path has to look like behind the ``=``."""
    parsed = _parsed(f"{setting}={typed}")
    value = None if parsed is None else parsed.value()
    if isinstance(value, str) and typed[:1] in ("'", '"'):
        return _quoted(_at_home(setting, value)) if value.startswith("~") else typed
    if parsed is not None and value is None:
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
