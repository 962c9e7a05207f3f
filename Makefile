# make demo    set up, screen the example paper, print where the report is
# make test    set up, run the tests
# make bench   set up, run every benchmark and write benchmarks/results/
# make weights train the weights that come with the program again (seven hours), and calibrate them
# Everything lives in .venv; nothing is installed outside this folder.

PYTHON ?= python3
VENV := .venv
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif

.PHONY: demo test lint bench weights native clean

$(VENV)/.core: pyproject.toml setup.py $(wildcard src/tamperscope/kernels/csrc/*)
	$(PYTHON) -c "import sys; sys.exit('Tamperscope needs Python 3.11 or newer') if sys.version_info < (3, 11) else None"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python tools/install_torch.py
	$(BIN)/python -m pip install --quiet --editable ".[train,dev]"
	touch $@

demo: $(VENV)/.core
	$(BIN)/tamperscope screen examples/example_paper.pdf --out demo/report --overwrite

test: $(VENV)/.core
	$(BIN)/python -m pytest

lint: $(VENV)/.core
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.core
	$(BIN)/python -m benchmarks

# A training that was stopped goes on where it was. The corpus is expected in ../shared/corpus.
weights: $(VENV)/.core
	for part in pairs pairs_large seams seams_hard patches; do \
	  $(BIN)/tamperscope train examples/biotampernet_small_$$part.toml --out runs/$$part --threads 1 || exit 1; \
	done
	for part in forma_small forma_small_large forma_small_hand forma_small_matches; do \
	  $(BIN)/tamperscope train examples/$$part.toml --out runs/$$part --threads 1 || exit 1; \
	done
	$(BIN)/python -m tools.ship_weights runs/pairs_large/best.safetensors --name biotampernet_small_pairs
	$(BIN)/python -m tools.ship_weights runs/seams_hard/best.safetensors --name biotampernet_small_seams
	$(BIN)/python -m tools.ship_weights runs/patches/best.safetensors --name biotampernet_small_patches
	$(BIN)/python -m tools.ship_weights runs/forma_small_matches/best.safetensors --name forma_small
	for task in seams patches splices; do \
	  $(BIN)/python -m tools.calibrate_network --task $$task --corpus ../shared/corpus --count 400 || exit 1; \
	done

# Rebuild the C++ libraries in place after editing src/tamperscope/kernels/csrc.
native:
	$(BIN)/python setup.py --quiet build_ext --inplace

clean:
	rm -rf build $(VENV)
	find src -name '*.so' -delete
