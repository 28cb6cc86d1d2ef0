"""Reads one forward pass layer by layer; the only package that knows transformers' attention."""
