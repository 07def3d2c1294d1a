# `make` shows what there is. Variables: PYTHON, BROKER=apache|embedded, and for `make run` PORT, RECOMMENDER=2, PORTAL=2...
PYTHON ?= python3
VENV := .venv/bin
export BROKER ASSESSMENT CATALOG RECOMMENDER PORTAL PORT
# With these, the Python of .venv would find other packages than those of .venv.
unexport PYTHONPATH PYTHONHOME

.DEFAULT_GOAL := help
.PHONY: help setup setup-local demo run key test compiled coverage check lint types pages page-tests frontend deployables fmt bench evaluate clean lock lock-jars

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## make .venv with everything that development needs
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON): install Python 3.11-3.13, or name it: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) deploy/local/environment.py dev

setup-local:
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON): install Python 3.11-3.13, or name it: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) deploy/local/environment.py local

demo: setup-local ## start everything, assess a sample officer, show the learning path that arrives, stop
	@$(VENV)/python -m deploy.local demo

run: setup-local ## start everything and stay; RECOMMENDER=2 PORTAL=2 runs replicas, PORT=9100 moves the ports
	@$(VENV)/python -m deploy.local run

key: setup-local ## make one more key for `make run`: make key ROLE=platform TENANT=example (or ROLE=officer OFFICER=id, ROLE=supervisor AGENCY=id, ROLE=analyst)
	@$(VENV)/python -m deploy.local key --role "$(or $(ROLE),officer)" --tenant "$(or $(TENANT),example)" --officer "$(OFFICER)" --agency "$(AGENCY)"

# Some images set this: then each of the hundreds of Python processes compiles all code again.
test coverage: export PYTHONDONTWRITEBYTECODE :=

test: setup ## unit, service, contract and end-to-end tests, on real servers
	@$(MAKE) --no-print-directory -j2 compiled page-tests
	@$(VENV)/pytest -n 3 --dist loadfile --no-loadscope-reorder tests/unit tests/test_docs.py tests/service tests/contract tests/e2e $(TESTS)

pages: setup-local ## build the portal's pages, with Node from PATH or from the locked wheel
	@$(VENV)/python -m deploy.local pages build

page-tests: pages
	@$(VENV)/python -m deploy.local pages test

frontend: setup ## the pages fit the services' OpenAPI documents, and eslint reports nothing
	@$(VENV)/python -m deploy.local pages check
	@$(VENV)/python -m deploy.local pages test

compiled:
	@$(VENV)/python -m services.recommender warm

coverage: setup compiled ## how much of services/ and shared/ the tests run, process tests left out; below 90 % fails
	@$(VENV)/pytest -q tests/unit tests/service tests/contract --cov --cov-report=term --cov-fail-under=90

check: lint types frontend deployables ## all that CI checks besides the tests

lint: setup ## ruff and the import rules
	@$(VENV)/ruff check .
	@$(VENV)/ruff format --check .
	@$(VENV)/lint-imports

types: setup ## mypy, strict
	@$(VENV)/mypy

deployables: setup ## the validators of what is in deploy/ and of the workflow
	@$(VENV)/yamllint --strict -d "{extends: default, rules: {line-length: {max: 120}, document-start: disable, comments: {min-spaces-from-content: 1}}}" deploy
	@if [ -f deploy/compose.yaml ]; then $(VENV)/check-jsonschema --builtin-schema vendor.compose-spec deploy/compose.yaml; fi
	@$(VENV)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/ci.yml
	@if [ -f deploy/Dockerfile ] && [ -x $(VENV)/hadolint ]; then $(VENV)/hadolint deploy/Dockerfile; fi

fmt: setup ## format, and apply ruff's fixes
	@$(VENV)/ruff check --fix-only --quiet . && $(VENV)/ruff format .

bench: setup ## the performance table, each figure next to its baseline
	@$(VENV)/python -m tests.bench

evaluate: setup ## every gate of ranking and matching, in at most 90 minutes; DATASETS_DIR=folder adds the real sets, QUICK=1 takes two
	@$(VENV)/python -m tests.evaluation $(if $(QUICK),--quick)
	@$(VENV)/python -m tests.evaluation.matching $(if $(QUICK),--print)
	@$(VENV)/python -m tests.evaluation.sessions $(if $(QUICK),--quick)
	@$(VENV)/python -m tests.evaluation.profiles $(if $(QUICK),--quick)
	@$(VENV)/python -m tests.evaluation.real_answers $(if $(QUICK),--print)

clean: ## remove the virtual environment, downloads, data, logs and caches
	rm -rf .venv .local $(addprefix services/portal/pages/,node_modules dist generated) tests/lighthouse/node_modules .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

lock: setup ## lock the requirements again, with hashes and without addresses
	@$(VENV)/uv pip compile --quiet --no-build --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml -o deploy/requirements/production.txt
	@$(VENV)/uv pip compile --quiet --no-build --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra local -c deploy/requirements/production.txt pyproject.toml -o deploy/requirements/local.txt
	@$(VENV)/uv pip compile --quiet --no-build --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra calibration -c deploy/requirements/production.txt pyproject.toml -o deploy/requirements/calibration.txt
	@$(VENV)/uv pip compile --quiet --no-build --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra local --extra dev -c deploy/requirements/production.txt pyproject.toml -o deploy/requirements/dev.txt

lock-jars: setup-local ## lock Apache Kafka's jars again, after a change of deploy/local/kafka/pom.xml
	@$(VENV)/python -m deploy.local lock
