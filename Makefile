# The two commands that matter: `make run` and `make test`. Everything else serves them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := setup.py $(shell find cli formats nss -name '*.py' -o -name '*.csv' -o -name '*.fof' \
  -o -name '*.pyx' -o -name '*.pxi' -o -name '*.h')
# Tests wait a lot: two for each of two cores. Empty for one process: make test WORKERS=
WORKERS ?= -n 4 --dist worksteal
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: run test test-pure test-long test-portal test-package test-container test-appliance screenshots fuzz fuzz-core instructions sanitize mutations mutants wheels deb image appliance appliance-twice repository lint bench soak soak-kafka fmt docs clean

run: $(VENV)/installed
	$(BIN)/nss demo

test: $(VENV)/tested .peers/fetched lint
	NSS_TEST_INSTALLED=1 $(BIN)/pytest $(WORKERS) -m "not long and not browser"

# What is compiled renders, frames and sends; Python has to do all of it as well. PURE: where that is tested.
PURE ?= tests/formats tests/feeds tests/integration tests/sinks/syslog tests/sinks/cloud_discovery \
  tests/sources/framing
test-pure: $(VENV)/tested
	NSS_PURE=1 NSS_TEST_INSTALLED=1 $(BIN)/pytest $(WORKERS) -m "not long and not browser" $(PURE)

# The files that have tests with a mark: to collect them all takes each worker a while.
MARKED := grep -rl --include=test_*.py pytest.

# Commands at terminals and whole services.
test-long: $(VENV)/tested .peers/fetched .peers/tenzir-fetched
	NSS_TEST_INSTALLED=1 $(BIN)/pytest $(WORKERS) -m "long and not browser" $$($(MARKED)mark.long tests)

# The portal in a real browser; says so when there is none and it can't be had, and ends well.
test-portal: $(VENV)/tested .peers/fetched
	NSS_TEST_INSTALLED=1 tests/admin/portal/run $(BIN)/pytest $(WORKERS) -m browser $$($(MARKED)mark.browser tests)

# Pictures of terminals and of all pages, for the README and the docs.
screenshots: $(VENV)/tested
	$(BIN)/python -m tests.cli.screen.pictures docs/images/terminal
	tests/admin/portal/run $(BIN)/python -m tests.admin.portal.screenshots docs/images/portal

# The package on whole machines; says so when this machine can't, and ends well.
test-package: $(VENV)/tested .peers/fetched
	tests/package/run $(BIN)/python .machine

# The image of each format booted in QEMU; says so when this machine can't, and ends well.
test-appliance: $(VENV)/tested .peers/fetched
	tests/appliance/run $(BIN)/python build/appliance

# The container image under Podman; says so when this machine can't, and ends well.
test-container: $(VENV)/tested .peers/fetched
	tests/container/run $(BIN)/python .machine/container

# Small faults put into the code, each of which a test must notice; see docs/mutants.md.
ONLY ?=
SAMPLE ?= 0
SEED ?= 1
mutants: $(VENV)/tested
	NSS_PURE=1 nice $(BIN)/python -m tests.mutants.run --sample $(SAMPLE) --seed $(SEED) \
	  $(if $(AGAIN),--again) $(if $(KEEP),--keep) $(if $(QUICK),--quick $(QUICK)) $(ONLY)

# One compiled for each Python of 3.11 and 3.12 that is here, and one for any; tried where they are alone.
wheels: $(VENV)/made
	$(BIN)/python packaging/wheels.py --into build/wheels

deb: $(VENV)/tested
	$(BIN)/python packaging/deb.py --into build

# An OCI image in build/image, from Debian's packages and ours; needs mmdebstrap.
image: deb
	$(BIN)/python packaging/container/build.py --into build/image --package "$$(ls -t build/*.deb | head -n 1)"

# A signed apt repository in build/repository, for any web server; KEY: id or file of the secret key.
KEY ?=
SUITE ?= stable
PACKAGES ?= $(wildcard build/nss-streamer_*_amd64.deb)
repository: $(if $(PACKAGES),,deb)
	$(PYTHON) packaging/repository.py --suite $(SUITE) $(if $(KEY),--key $(KEY)) \
	  $(or $(PACKAGES),build/nss-streamer_*_amd64.deb)

# The machine image; FORMATS=qcow2 for one alone, of raw, qcow2, ova and vhd. As root; docs/appliance.md.
FORMATS ?= raw qcow2 ova vhd
appliance: $(VENV)/tested
	$(BIN)/python packaging/appliance/build.py --into build/appliance --formats "$(FORMATS)"

# Two builds of it have to be the same, byte by byte.
appliance-twice: $(VENV)/tested
	tests/appliance/image/twice $(BIN)/python

lint: $(VENV)/tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

SECS ?= 60
# All that is compiled under AddressSanitizer, UndefinedBehaviorSanitizer and LeakSanitizer: what compares
# it with Python for so long, and its tests; says so when there are no sanitizers, and ends well.
sanitize: $(VENV)/tested
	WORKERS="$(WORKERS)" tests/sanitize/run $(CURDIR)/$(BIN)/python build/sanitize $(SECS)

# The same comparisons for long, without them: SECS, or so many RECORDS, in each of so many JOBS.
JOBS ?= 2
RECORDS ?=
# By default the clock. The same number brings the same formats and batches.
FIRST_SEED ?=
fuzz-core: $(VENV)/tested
	rm -rf build/fuzz && mkdir -p build/fuzz && cp -r tests build/fuzz # beside the installed package
	cd build/fuzz && nice $(CURDIR)/$(BIN)/python -m tests.sources.framing.fuzz --secs 10 \
	  $(if $(FIRST_SEED),--seed $(FIRST_SEED))
	cd build/fuzz && ended=; for job in $$(seq $(JOBS)); do \
	  nice $(CURDIR)/$(BIN)/python -m tests.formats.compiled.fuzz --secs $(SECS) \
	    $(if $(RECORDS),--records $(RECORDS)) \
	    $(if $(FIRST_SEED),--first-seed $${job}$(FIRST_SEED)) & ended="$$ended $$!"; done; \
	  code=0; for job in $$ended; do wait $$job || code=1; done; exit $$code

# The installed core's instructions a record against those kept; says so when it can't count.
instructions: $(VENV)/tested
	tests/formats/compiled/run $(BIN)/python -P -c "import sys; sys.path.append('.'); \
	  from tests.formats.compiled.instructions import main; main()" $(if $(ACCEPT),--accept)

bench: $(VENV)/tested .peers/fetched
	$(BIN)/python benchmarks/run.py
	$(BIN)/python benchmarks/run.py --records 2000000 --rounds 1 --only nss --only nss-durable --only ceiling
	$(BIN)/python benchmarks/kinds.py
	$(BIN)/python benchmarks/intake.py
	$(BIN)/python benchmarks/backlog.py
	$(BIN)/python benchmarks/feeds.py
	$(BIN)/python benchmarks/spool.py
	$(BIN)/python benchmarks/upload.py
	PYTHONPATH=. $(BIN)/python benchmarks/kafka.py
	PYTHONPATH=. $(BIN)/python benchmarks/kafka_source.py
	$(BIN)/python benchmarks/sync.py
	$(BIN)/python benchmarks/startup.py

MINUTES ?= 10
soak: $(VENV)/tested
	$(BIN)/python tests/soak/soak.py --minutes $(MINUTES)

# The same for instances that share a topic of Kafka.
KILLS ?= 100
soak-kafka: $(VENV)/tested
	$(BIN)/python -m tests.soak.kafka --kills $(KILLS)

# Damaged spool files by the thousand: each must end correct, reported or refused.
MUTATIONS ?= 10000
mutations: $(VENV)/tested
	$(BIN)/python -m tests.spool.durable.mutations --count $(MUTATIONS)

# Random formats and hostile records, against a second implementation of docs/formats.md.
FUZZ_SECS ?= 60
fuzz: $(VENV)/tested
	nice $(BIN)/python -m tests.formats.second.fuzz --secs $(FUZZ_SECS) $(if $(FUZZ_SEED),--seed $(FUZZ_SEED))

fmt: $(VENV)/tested
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/tested
	$(BIN)/python -m nss.config.reference > docs/configuration.md
	$(BIN)/python -m cli.reference markdown > docs/commands.md
	$(BIN)/python -m nss.service.reference docs/metrics.md
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet --site-dir build/site
	@echo "the site is in build/site"

clean:
	rm -rf $(VENV) .peers .machine build *.egg-info

# A private virtual environment, and the package installed into it as a user would install it.
$(VENV)/made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "NSS needs Python 3.11 or newer; name one with: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "This Python lacks venv: install the package python3-venv and run make again."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/installed: $(VENV)/made pyproject.toml $(SOURCES)
	rm -rf build/lib* build/temp* # or modules that were moved away would be installed again
	$(PIP) install .
	touch $@

# The same environment plus the test tools, at the versions that were tested together.
$(VENV)/locked: $(VENV)/made tests/requirements.lock
	$(PIP) install --requirement tests/requirements.lock
	touch $@

$(VENV)/tested: $(VENV)/locked $(VENV)/installed
	touch $@

# rsyslog and syslog-ng, which tests and benchmarks talk to; without them those tests are skipped
# with their reason.
.peers/fetched: tests/peers/fetch
	tests/peers/fetch .peers
	touch $@

# Tenzir, whose LEEF, CEF, CSV and syslog readers `make test-long` asks for their opinion.
.peers/tenzir-fetched: $(VENV)/made tests/peers/fetch_tenzir
	tests/peers/fetch_tenzir .peers $(BIN)/python
	touch $@
