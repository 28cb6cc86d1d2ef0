"""Runs the units of a plan, one record each; the only stage that loads a model."""
