"""Copies of a finished run folder for experiment trackers. The folder stays the record of the run."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from tokenrank.records.copies import copied_before, note_copy
from tokenrank.records.run_folder import RunFolder
from tokenrank.records.run_names import Names
from tokenrank.records.visible_text import say


class Logger(ABC):
    """Copies a finished run folder, once: again only where its tables or the logger's settings are others.

    A copy that fails is a warning; neither the run's files nor its exit code depend on it. A subclass is a dataclass, whose fields
    are its settings: values of JSON.
    """

    @abstractmethod
    def copy(self, folder: RunFolder, names: Names) -> str:
        """Copies the folder, of which it changes nothing, and returns one line that says where the copy is.

        Any exception is a warning with its message; the next command of the run tries again.
        """

    def lost(self, folder: RunFolder) -> bool:  # noqa: ARG002
        """Whether a copy that was made is known to be gone."""
        return False

    def mirror(self, folder: RunFolder, names: Names) -> None:
        """Makes the copy unless it is there, and prints one line: on stderr if it failed."""
        try:
            print(self._copied_once(folder, names))
        except Exception as error:  # whatever it is: the run is finished
            where = f"no copy by {type(self).__name__}"
            say(f"warning: {where}: {one_line(error)}; the run folder is complete")

    def _copied_once(self, folder: RunFolder, names: Names) -> str:
        logger, settings = type(self).__name__, vars(self)
        with folder.claimed(f"{logger} copy") as ours:
            if not ours:
                return f"{logger}: another process is making the copy"
            before = copied_before(folder.path, logger, settings)
            if before is not None and not self.lost(folder):
                return f"{before} (copied before)"
            said = self.copy(folder, names)
            note_copy(folder.path, logger, settings, said)
            return said


@dataclass(frozen=True)
class NullLogger(Logger):
    """Copies nothing."""

    def copy(self, folder: RunFolder, names: Names) -> str:
        """Does nothing."""
        return f"no copy of {names.name}, which stays in {folder.path}"

    def mirror(self, folder: RunFolder, names: Names) -> None:
        """Does nothing, and says nothing."""


def one_line(error: BaseException) -> str:
    """The message of an error, in one line."""
    return " ".join(str(error).split()) or type(error).__name__
