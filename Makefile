# Each target explains itself: `make help`.

PYTHON ?= python3
PORT ?= 6543
BIN = .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK = 1
MAKEFLAGS += --no-print-directory

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help serve test check fuzz stress scan mutants bench demo migration messages lock format clean .venv

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

serve: .venv/development.stamp ## Run the application on http://localhost:6543 (PORT=8080 for another port)
	@$(BIN)/initialize_db development.ini
	@echo "http://localhost:$(PORT)"
	@exec $(BIN)/pserve development.ini port=$(PORT)

test: .venv/testing.stamp ## Run the tests (ARGS="-k users" passes arguments to pytest)
	@$(BIN)/pytest $(ARGS)

check: .venv/testing.stamp ## Run what CI runs: format, lint, types, complexity, dead code, security, translations, tests
	@echo "Format";       $(BIN)/ruff format --check --quiet
	@echo "Lint";         $(BIN)/ruff check --quiet
	@echo "Types";        $(BIN)/mypy --no-error-summary
	@echo "Complexity";   complex=$$($(BIN)/radon cc --show-complexity --min C myproject) && \
	[ -z "$$complex" ] || { echo "$$complex"; exit 1; }
	@echo "Dead code";    $(BIN)/vulture
	@echo "Security";     $(BIN)/bandit --quiet --recursive myproject
	@echo "Translations"; $(BIN)/python -m myproject.scripts.messages --check
	@echo "Tests";        $(MAKE) test

fuzz: .venv/testing.stamp ## Send random malformed requests, about 5 minutes (FUZZ=2000 sends fewer)
	@FUZZ=$(or $(FUZZ),20000) $(BIN)/pytest tests/fuzz $(ARGS)

stress: .venv/testing.stamp ## Kill and restart servers while clients write, about 10 minutes (ARGS="--kills 10 --seconds 30")
	@$(BIN)/python -m tests.stress $(ARGS)

scan: .venv/testing.stamp .venv/scan/stamp ## Attack the signed-in site with a security scanner, about a minute (ARGS="--seconds 600")
	@$(BIN)/python -m tests.scan $(ARGS)

mutants: .venv/testing.stamp .venv/mutants/stamp ## Change critical code in small ways; tests should fail; hours (ARGS="--limit 20 signin/views.py")
	@.venv/mutants/bin/python tests/mutants/run.py $(ARGS)

bench: .venv/testing.stamp ## Measure speed and memory, several minutes (ROWS=100000 ARGS="--only lists")
	@$(BIN)/python -m benchmarks $(if $(ROWS),--rows $(ROWS)) $(ARGS)

demo: .venv/development.stamp ## Add 200 made-up people with posts to the development database
	@$(BIN)/initialize_db development.ini
	@$(BIN)/python -m myproject.scripts.demo development.ini

# The number after that of the newest migration.
NEXT = $$(printf %04d $$(($$(ls myproject/migrations/versions/[0-9]*.py | wc -l) + 1)))

migration: .venv/development.stamp ## Write a migration from the changes to the models (NAME="Telephone number of a user")
	@$(BIN)/initialize_db development.ini
	@$(BIN)/alembic -c development.ini revision --autogenerate --message "$(NAME)" --rev-id $(NEXT)

messages: .venv/development.stamp ## Refresh the translation catalogues from the source
	@$(BIN)/python -m myproject.scripts.messages

format: .venv/testing.stamp ## Format the code, and fix what the linter can fix
	@$(BIN)/ruff check --fix-only --quiet
	@$(BIN)/ruff format --quiet

# The last release that checks headers and cookies; it runs on Python 3.11 and 3.12.
SCANNER = wapiti3 == 3.2.3; python_version < '3.13'
MUTATOR = cosmic-ray
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate $(if $(UPGRADE),--upgrade)

lock: .venv/testing.stamp ## Write requirements/ from setup.py (UPGRADE=1 takes the newest versions)
	@$(COMPILE) setup.py --extra postgresql --output-file requirements/production.txt
	@$(COMPILE) setup.py --extra development --output-file requirements/development.txt
	@$(COMPILE) setup.py --extra postgresql --extra development --extra testing --output-file requirements/testing.txt
	@echo "$(SCANNER)" | $(COMPILE) - --output-file requirements/scan.txt
	@echo "$(MUTATOR)" | $(COMPILE) - --output-file requirements/mutants.txt

clean: ## Remove .venv and the files of all tools; the database stays
	@rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp says that these requirements are installed in .venv. testing.txt includes development.txt: it serves both.
# .venv/unfinished remains if an install was interrupted, and a package may be incomplete.
.venv/%.stamp: requirements/%.txt setup.py
	@echo "Installing requirements/$*.txt into .venv; the first time takes about a minute."
	@touch .venv/unfinished
	@trap 'exit 130' INT TERM HUP; $(BIN)/python -m pip install --quiet --require-hashes -r requirements/$*.txt; \
	status=$$?; [ $$status -gt 128 ] || rm .venv/unfinished; exit $$status
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch .venv/development.stamp $@

# The scanner and the mutation tool have their own environments: one pins an old SQLAlchemy, both need many packages.
.venv/%/stamp: requirements/%.txt | .venv/testing.stamp
	@echo "Installing requirements/$*.txt into .venv/$*; this takes about a minute."
	@rm -rf .venv/$*
	@$(BIN)/python -m venv .venv/$*
	@.venv/$*/bin/python -m pip install --quiet --require-hashes -r requirements/$*.txt
	@touch $@

# Created again if it is missing, incomplete, was moved, or its Python was removed or changed.
ifneq ($(shell { [ ! -e .venv/unfinished ] && grep -F ' $(CURDIR)/.venv' .venv/pyvenv.cfg && \
	$(BIN)/python -c 'import pip'; } >/dev/null 2>&1 && echo sound),sound)
.venv/development.stamp .venv/testing.stamp .venv/scan/stamp .venv/mutants/stamp: .venv
endif

.venv:
	@$(PYTHON) -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo \
	"Install Python 3.11 or later with venv (Debian: apt install python3 python3-venv)," \
	"or name the one to use: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@rm -rf .venv && mkdir .venv && touch .venv/unfinished
	@$(PYTHON) -m venv .venv
