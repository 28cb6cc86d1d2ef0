"""The files of a run folder: how they are written, their names, and the columns of every table."""
