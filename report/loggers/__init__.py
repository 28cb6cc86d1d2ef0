"""Copies of runs in trackers."""
