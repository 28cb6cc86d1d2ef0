"""Prints a prompt of a run with the tokens that a ranking found, missed and wrongly kept, held against the truth.

    python scripts/show.py RUN SAMPLE HEURISTIC LAYER [--k 10]     of evaluation=ranking, at a layer, the best k percent
    python scripts/show.py RUN SAMPLE CONTESTANT KEEP              of accuracy and fidelity: what was kept at a keep rate in percent

RUN may be half done, and may be the folder of a sweep, whose runs are then joined in SWEEP/joined.
Installed: python -m tokenrank.show. --no-color, the environment variable NO_COLOR, or output that is no terminal: marks in place of
colours. --width: letters of a line. Exit codes: 0; 2 for what is not there.
"""

import os
import shutil
import sys

from tokenrank.planning.ending import print_to_reader
from tokenrank.records.command_line import command_parser, path_argument
from tokenrank.records.visible_text import say
from tokenrank.report.page.token_text import shown
from tokenrank.report.page.token_view import view
from tokenrank.work.made_tables import with_records

NARROWEST = 20


def command(arguments: list[str]) -> int:
    """``RUN SAMPLE HEURISTIC LAYER``, or ``RUN SAMPLE CONTESTANT KEEP``; returns the exit code."""
    parser = command_parser("show", __doc__)
    parser.add_argument("run", type=path_argument)
    parser.add_argument("sample", nargs="?", default="", help="id of the prompt; leave it out to see which there are")
    parser.add_argument("name", nargs="?", default="", metavar="heuristic")
    parser.add_argument("number", nargs="?", default="", metavar="layer", help="or keep rate in percent")
    parser.add_argument("--k", type=float, metavar="PERCENT", help="how many of the best tokens count (default: 10)")
    parser.add_argument("--no-color", action="store_true", help="marks in place of colours")
    parser.add_argument("--width", type=int, metavar="LETTERS", help="of a line (default: the terminal's)")
    asked = parser.parse_args(arguments)
    width = shutil.get_terminal_size().columns if asked.width is None else asked.width
    colours = (
        not (asked.no_color or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb") and sys.stdout.isatty()
    )
    try:
        if asked.width is not None and width < NARROWEST:
            raise ValueError(f"--width is {width}, must be at least {NARROWEST}")
        found = view(with_records(asked.run), asked.sample, asked.name, asked.number, asked.k)
    except (ValueError, OSError) as error:
        say(f"error: {error}")
        return 2
    print_to_reader(shown(found, max(width, NARROWEST), colours=colours))
    return 0


if __name__ == "__main__":
    code = command(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # an ordinary exit aborts if a thread of pyarrow has only just begun
