# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export CASEMATE_HOME ?= $(CURDIR)/.casemate

.PHONY: demo test quick lint lock clean

$(VENV)/installed: requirements/runtime.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/runtime.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/tested: $(VENV)/installed requirements/test.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/test.lock
	touch $@

lint: $(VENV)/tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .

quick: $(VENV)/tested
	$(BIN)/pytest -q -m "not slow" -n 2

lock:
	$(BIN)/uv pip compile -q --generate-hashes --no-header --universal --python-version 3.11 requirements/runtime.in -o requirements/runtime.lock
	$(BIN)/uv pip compile -q --generate-hashes --no-header --universal --python-version 3.11 requirements/test.in -c requirements/runtime.lock -o requirements/test.lock
	$(BIN)/uv pip compile -q --generate-hashes --no-header --universal --python-version 3.11 requirements/bench.in -o requirements/bench.lock
