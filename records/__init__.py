"""Atomic files: results and caches, and nothing about what is in them."""
