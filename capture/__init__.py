"""One forward pass seen layer by layer; the only package that knows transformers' attention."""
