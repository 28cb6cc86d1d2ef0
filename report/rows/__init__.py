"""What the tables of a run hold, as rows: values, differences, bounds and intervals."""
