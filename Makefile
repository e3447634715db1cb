# make            list the targets
# make test       everything that a change must pass
# Another interpreter: make env PYTHON=python3.12

SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Torch threads spin: two processes of two threads on two cores are many
# times slower than one thread each.
export OMP_NUM_THREADS := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# Stamps are named after what they stand for (checksums, not times), and are
# written last: a changed pin or an interrupted install leaves no valid stamp.
key = $(shell cat $(1) | cksum | tr ' ' -)
REQ = $(VENV)/.requirements-$(call key,requirements.txt)
PKG = $(VENV)/.package-$(call key,pyproject.toml)

.DEFAULT_GOAL := help
.PHONY: help env book test release lint clean

help:
	@echo "make env     make $(VENV) and install the pins and the package"
	@echo "make book    run every notebook in full and build the site"
	@echo "make test    lint, pytest, notebooks (fast), site, browser, Colab"
	@echo "make release what to download, in dist, after make book"
	@echo "make lint    ruff alone"
	@echo "make clean   remove _build, dist and caches (keeps $(VENV))"

env: $(PKG)
	@:

$(REQ):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; '$(PYTHON)' is not." \
	    "Try: make env PYTHON=python3.12" >&2; exit 1; }
	@rm -f $(VENV)/.requirements-* $(VENV)/.package-*
	@if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
	  echo "[env] new environment in $(VENV): $$($(PYTHON) --version)"; \
	  $(PYTHON) -m venv --clear $(VENV) || { \
	    echo "No venv: on Debian, apt-get install python3-venv" >&2; \
	    exit 1; }; fi
	@echo "[env] installing requirements.txt (a few minutes when new)"
	@$(BIN)/python -m pip install -q -r requirements.txt
	@touch $@

$(PKG): $(REQ)
	@echo "[env] installing gmps_lite (editable)"
	@rm -f $(VENV)/.package-*
	@$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .
	@touch $@

book: env
	@echo "[1/2] notebooks at full parameters"
	@$(BIN)/python book/build.py run
	@echo "[2/2] site"
	@$(BIN)/python book/build.py site

release: env
	@$(BIN)/python book/release.py

lint: env
	@$(BIN)/ruff check .

# Goes on after a failure, so that one run shows all that is wrong.
test: env
	@mkdir -p _build; failed=0; summary=""; trap 'exit 130' INT TERM; \
	phase() { \
	  local title="[$$1/6] $$2" start=$$SECONDS result=ok note=""; \
	  shift 2; echo; echo "$$title"; \
	  "$$@" </dev/null || { result=FAILED; failed=1; }; \
	  if [[ $$title == *pytest* ]]; then \
	    note="  $$(tail -n 1 _build/pytest.log)"; fi; \
	  summary+=$$(printf '%-26s %-6s %4d s%s' "$$title" $$result \
	    $$((SECONDS - start)) "$$note")$$'\n'; \
	  [[ $$result == ok ]]; }; \
	tests() { set -o pipefail; \
	  $(BIN)/python -m pytest 2>&1 | tee _build/pytest.log; }; \
	phase 1 "lint" $(BIN)/ruff check .; \
	phase 2 "pytest" tests; \
	if phase 3 "notebooks, fast" $(BIN)/python book/build.py run --fast; \
	then phase 4 "site, strict" $(BIN)/python book/build.py site --strict && \
	  phase 5 "site, in a browser" $(BIN)/python book/browse.py; \
	else summary+="[4/6] [5/6] the site       not run"$$'\n'; fi; \
	phase 6 "as on Colab" $(BIN)/python book/colab.py; \
	echo; printf '%s' "$$summary"; \
	if ((failed)); then echo "make test: FAILED"; exit 1; fi; \
	echo "make test: ok"

clean:
	rm -rf _build build dist *.egg-info .pytest_cache .ruff_cache
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -print0 \
	  | xargs -0 rm -rf
