# Two commands do everything: `make demo` and `make test`.
.POSIX:
VENV = .venv
BIN = $(VENV)/bin
READY = $(VENV)/.ready
LOCK = pip compile --quiet --upgrade --universal --generate-hashes --no-header --no-emit-index-url \
	--no-annotate --python-version 3.11

# Four parts of about the same length. Tests often wait for a disk or a process, so four keep two cores busy.
# The first part also runs tests/subscribers; the fourth part runs what is not in the others.
FIRST = tests/render tests/cli tests/demo tests/config
SECOND = tests/web tests/collect tests/compose tests/smtp tests/limits tests/message tests/model
THIRD = tests/send tests/scheduler tests/inbound tests/chaos
FAST_LIST = tests/subscribers
FAST_REST = tests/test_layers.py tests/test_docs.py tests/storage tests/model tests/schedule tests/limits \
	tests/message tests/compose tests/config

.PHONY: help setup demo desk test test-fast test-fast-list test-fast-rest test-first-part test-second-part test-third-part test-fourth-part check format lock clean

help:
	@echo "make demo       set up, then run the main job: feeds to inbox, on loopback"
	@echo "make desk       set up, then open the demo's newsroom: the editors' desk with a draft"
	@echo "make test       set up, then check style and types and pass all tests"
	@echo "make test-fast  the pure half and SQLite, in under a minute, with nothing but Python"
	@echo "make check      style and types alone"
	@echo "make lock       lock the dependencies again, after pyproject.toml has changed"
	@echo "make clean      remove what was set up or made here"

setup: $(READY)

# Everything is compiled once. Otherwise each start would compile what it imports, which takes five seconds, where
# PYTHONDONTWRITEBYTECODE is set, as in many containers.
$(READY): pyproject.toml requirements.lock requirements-uv.lock
	python3 -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q digest subscribers
	@touch $(READY)

demo: $(READY)
	@$(BIN)/digest demo

desk: $(READY)
	@$(BIN)/digest demo --serve

test: $(READY)
	@.ci/components
	@$(MAKE) check
	@$(MAKE) -j 4 test-first-part test-second-part test-third-part test-fourth-part

test-fast: $(READY)
	@$(MAKE) -j 2 test-fast-list test-fast-rest

test-fast-list: $(READY)
	$(BIN)/python -m pytest --hypothesis-profile=fast $(FAST_LIST) -k "not postgresql"

test-fast-rest: $(READY)
	$(BIN)/python -m pytest --hypothesis-profile=fast $(FAST_REST) -k "not postgresql"

test-first-part: $(READY)
	$(BIN)/coverage run -m pytest tests/subscribers
	$(BIN)/coverage report
	$(BIN)/python -m pytest $(FIRST)

test-second-part: $(READY)
	$(BIN)/python -m pytest $(SECOND)

test-third-part: $(READY)
	$(BIN)/python -m pytest $(THIRD)

test-fourth-part: $(READY)
	$(BIN)/python -m pytest --ignore=tests/subscribers $(FIRST:%=--ignore=%) $(SECOND:%=--ignore=%) \
		$(THIRD:%=--ignore=%)

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(READY)
	$(BIN)/uv $(LOCK) --extra dev --extra demo --extra postgresql --extra text --extra bench --output-file requirements.lock pyproject.toml
	echo uv | $(BIN)/uv $(LOCK) --output-file requirements-uv.lock -

clean:
	rm -rf $(VENV) build dist demo data .mypy_cache .pytest_cache .ruff_cache .hypothesis
