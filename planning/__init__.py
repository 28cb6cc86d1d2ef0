"""From a config to a plan: what will be run, checked without loading weights."""
