PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Where this is set, every process would compile torch, Lightning and all else anew, for some ten seconds.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test check setup clean

demo: setup  ## MNIST from raw files to a report, in a virtual environment of its own
	$(BIN)/python recipes/mnist.py

test: setup  ## every test, and beside them, on what they leave idle, lint, format and types
	@$(MAKE) --no-print-directory check > $(VENV)/check.txt 2>&1 & check=$$!; \
	$(BIN)/pytest -n 2 --dist worksteal; tests=$$?; \
	wait $$check; checked=$$?; cat $(VENV)/check.txt; \
	exit $$((tests + checked))

check: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyrefly check

setup: $(VENV)/installed

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV)
