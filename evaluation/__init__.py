"""Evaluations (ranking, accuracy, ttft): how a unit is measured, and which tables follow."""
