# `make demo` and `make test` set everything up first.
PY = .venv/bin/python
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: demo test lint bench docs fresh clean

demo: .venv/ready
	$(PY) -m posctl demo

test: .venv/ready lint
	$(PY) -m pytest -n 2 --dist worksteal -q

lint: .venv/ready
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	lint-imports --cache-dir .venv/import-linter

bench: .venv/ready
	$(PY) benchmarks/run.py

docs: .venv/ready
	$(PY) docs/make_requirements.py

# Both commands of the README in an empty Debian root.
fresh:
	.ci/fresh

.venv/ready: pyproject.toml .ci/setup
	.ci/setup

clean:
	rm -rf .venv build
