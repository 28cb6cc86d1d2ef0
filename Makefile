# The two commands for a fresh machine: make demo, make test. TORCH=cpu behind them installs 2.5 GB in place of 6.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
TORCH ?=# cpu: torch without CUDA; cu126: with CUDA 12.6; empty: what the package index has (Linux: with CUDA)
READY := $(VENV)/ready

.PHONY: install demo test check conformance sweep kvpress trackio wheel bench site clean

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(if $(TORCH),$(PY) -m pip install --quiet --constraint constraints.txt --no-deps --index-url https://download.pytorch.org/whl/$(TORCH) torch)
	$(PY) -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

install: $(READY)

# The default model ranks needles in haystacks and questions about this project's own documents.
demo: install
	$(PY) scripts/fetch_model.py
	$(PY) run.py heuristic=all task=niah 'task.lengths=[1024]' task.samples=10 hydra.run.dir=results/demo_niah
	$(PY) scripts/questions.py results/demo_questions.jsonl
	$(PY) run.py heuristic=all task=prompts task.path=results/demo_questions.jsonl task.score=contains hydra.run.dir=results/demo_questions

# One process a core, each with one thread: two with two threads each wait for each other.
test: check
	OMP_NUM_THREADS=1 $(PY) -m pytest --numprocesses=auto -m 'not conformance'

check: install
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

# Against the outputs of the paper's authors, where they are there (see tests/test_conformance*.py).
conformance: install
	$(PY) -m pytest -m conformance tests/test_conformance.py tests/test_conformance_prefill.py

# Every decoder class of transformers, made tiny: exact, or refused with a sentence (docs/decoder_classes.md; 3 minutes on 2 cores).
sweep: install
	$(PY) scripts/sweep_architectures.py

# kvpress in a folder of its own, installed by the line of docs/kvpress.md, and its scorers against kvpress's own.
kvpress: install
	$(PY) -m $$(grep -m 1 '^pip install --no-deps kvpress' docs/kvpress.md) --quiet --upgrade --target $(VENV)/kvpress
	PYTHONPATH=$(CURDIR)/$(VENV)/kvpress $(PY) -c 'import kvpress'
	PYTHONPATH=$(CURDIR)/$(VENV)/kvpress $(PY) -m pytest tests/heuristics/test_kvpress.py

# trackio in a folder of its own, installed by the line of docs/logging.md, and the copies for it read back.
trackio: install
	$(PY) -m $$(grep -m 1 '^pip install --no-deps trackio' docs/logging.md) --quiet --upgrade --target $(VENV)/trackio
	PYTHONPATH=$(CURDIR)/$(VENV)/trackio $(PY) -c 'import trackio'
	PYTHONPATH=$(CURDIR)/$(VENV)/trackio $(PY) -m pytest tests/report/loggers/test_trackio_mirror.py tests/report/loggers/test_mirror.py tests/test_logged_runs.py

# The wheel in a fresh environment and an unrelated folder; INTERPRETERS="python3.12 python3.13" tries others.
wheel: install
	$(PY) scripts/check_wheel.py $(INTERPRETERS)

# LONGBENCH=FOLDER: LongBench's jsonl files with its two template files.
bench: install
	$(PY) scripts/bench_overhead.py longbench=$(LONGBENCH)

# The site of the documents, in site/.
site: install
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
