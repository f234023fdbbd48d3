# `make demo` and `make test` set everything up first.
PY = .venv/bin/python
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: demo test lint bench docs vectors soak fuzz fresh clean

demo: .venv/ready
	$(PY) -m posctl demo

test: .venv/ready-to-test lint
	$(PY) -m pytest -n 2 --dist worksteal -q

lint: .venv/ready
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	lint-imports --cache-dir .venv/import-linter

bench: .venv/ready-to-test
	$(PY) benchmarks/run.py

# What is made from the code: a test holds each to it.
docs: .venv/ready
	$(PY) docs/make_catalogue.py
	$(PY) docs/make_requirements.py
	$(PY) docs/make_troubleshooting.py
	$(PY) docs/make_man.py
	$(PY) tests/cli/test_help.py

# Order files of a bench, good and bad; see docs/order-file.md.
vectors: .venv/ready-to-test
	PYTHONPATH=$(CURDIR):$(CURDIR)/tests $(PY) tests/vectors/order-file/make.py

# Ten thousand random attempts of docs/recovery.md; N, SECONDS, SEED and JOBS set.
soak: .venv/ready-to-test
	PYTHONPATH=$(CURDIR):$(CURDIR)/tests $(PY) tests/recovery/soak.py \
	    $(if $(N),--count $(N)) $(if $(SECONDS),--seconds $(SECONDS)) \
	    $(if $(SEED),--seed $(SEED)) $(if $(JOBS),--jobs $(JOBS))

# Coverage-guided, each decoder for a minute; SECONDS and TARGETS set.
fuzz: .venv/ready-to-test
	$(PY) -m pip install --quiet atheris
	$(PY) tests/fuzz/fuzz.py $(if $(SECONDS),--seconds $(SECONDS)) $(TARGETS)

# Both commands of the README in an empty Debian root.
fresh:
	.ci/fresh

.venv/ready: pyproject.toml .ci/setup
	.ci/setup

.venv/ready-to-test: pyproject.toml .ci/setup
	.ci/setup test

clean:
	rm -rf .venv build
