# As root: `make demo` shows the load balancer at work, `make test` proves it. Both set up what they need first.
# The text behind ## is what `make help` prints.
VENV    := .venv
PYTHON  := $(VENV)/bin/python
STAMP   := $(VENV)/.setup
# What the project's Python packages import, to install without a network.
WHEELS  := build/wheels/.complete
# What building and running need, and what the tests use besides.
PACKAGES := python3-venv python3-bpfcc build-essential cmake pkg-config libtins-dev libspdlog-dev nlohmann-json3-dev \
            libbpf-dev iproute2 iputils-ping procps clang-format-14 clang-14 libclang-rt-14-dev uuid-dev bpftool curl \
            iperf3 traceroute openssl arping ethtool nftables haproxy conntrack chromium help2man dpkg-dev logrotate prometheus

# All targets that `make help` shows.
.PHONY: all $(shell sed -n 's/^\([a-z-]*\):.*\#\# .*/\1/p' Makefile)
all: build

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

setup: $(STAMP) ## install what is needed, from Debian and PyPI
$(STAMP): pyproject.toml Makefile scripts/install-packages.sh scripts/kernel-headers.sh
	scripts/install-packages.sh $(PACKAGES)
	scripts/kernel-headers.sh
	/usr/bin/python3 -m venv --system-site-packages $(VENV)
	$(VENV)/bin/pip install -q --disable-pip-version-check -e '.[test,check,bench,package]'
	touch $@

build: $(STAMP) ## build the libraries of service and host
	cmake -S . -B build -DPython3_EXECUTABLE=$(CURDIR)/$(PYTHON) '-DK8SLBRP_NAME=k8slbrp;lbrp' > build.log 2>&1 || (cat build.log; exit 1)
	cmake --build build -j 2 > build.log 2>&1 || (cat build.log; exit 1)
	rm build.log

demo: build ## two clients, three servers and a VIP between them; DEMO=--keep leaves it running until Ctrl-C
	$(PYTHON) -m testbed.demo $(DEMO)

cluster: build ## three nodes with their hosts until Ctrl-C, or until a script ends: CLUSTER='--script FILE'
	$(PYTHON) -m testbed.cluster $(CLUSTER)

cluster-test: build $(WHEELS) ## rolling updates and scaling under at least 100,000 requests each
	CLUSTER_REQUESTS=100000 $(PYTHON) -m pytest -q tests/kube/test_kube_changes.py --timeout 3600

mutants: build ## take out each feature behind docs/kubernetes-conformance.md and see its tests fail; half an hour
	$(PYTHON) -m tests.kube.mutants

test: build $(WHEELS) ## all tests but the long ones; TESTS="tests/unit -k rendezvous" runs a part, JOBS=4 uses four workers
	scripts/test.sh $(TESTS)

test-lbrp: build $(WHEELS) ## the REST, e2e and kube tests for the service under its other name; TESTS="tests/rest" a part
	scripts/test-as.sh lbrp $(or $(TESTS),tests/rest tests/e2e tests/kube)

test-long: build $(WHEELS) ## the tests that take a minute or more each: other builds, packages; a quarter of an hour
	scripts/isolated.sh $(PYTHON) -m pytest -q -m long --timeout 3600 $(TESTS)

test-quick: build ## the quick forms of sanitize, fuzz and bench, which build or measure a lot: for CI; five minutes
	scripts/isolated.sh $(PYTHON) -m pytest -q --timeout 3600 tests/sanitize tests/fuzz tests/bench/test_bench_parts.py

bench: build ## measure, a quarter of an hour on a machine that does nothing else; BENCH="--only per_packet" a part
	$(PYTHON) -m bench $(BENCH)

size: build ## how large the datapath's programs are, how much stack is left, what the verifier visits
	$(PYTHON) -m bench.size

soak: build ## services come and go 100,000 times: memory stays flat, no map entry is left; and 300,000 random requests
	SOAK_CYCLES=100000 $(PYTHON) -m pytest -q -s tests/rest/test_soak.py
	PROPERTY_TIMES=10 $(PYTHON) -m pytest -q -s --timeout 7200 tests/rest/test_property.py

hostile: build ## 64 hostile clients for a minute; HOSTILE_P99_S=0.25 for the promise of docs/security.md
	HOSTILE_SECONDS=60 $(PYTHON) -m pytest -q -s tests/rest/test_hostile.py

race: build ## two CPUs against each other: 200,000,000 packets, 5,000,000 updates of services, floods; three quarters of an hour
	RACE_PACKETS=200000000 RACE_UPDATES=5000000 FLOOD_PACKETS=10000000 RACE_ROUNDS=3000 scripts/isolated.sh $(PYTHON) -m pytest -q --timeout 3600 tests/race

crash: build ## kill the host 500 times under writers and live connections: nothing that was answered is lost; an hour
	CRASH_KILLS=500 scripts/isolated.sh $(PYTHON) -m pytest -q -s tests/e2e/test_e2e_crash.py

faults: build ## 200,000 requests in which any map update, attachment or allocation of the host may fail; half an hour
	FAULT_REQUESTS=$${FAULT_REQUESTS:-200000} scripts/isolated.sh $(PYTHON) -m pytest -q -s --timeout 7200 tests/faults

sanitize: $(STAMP) ## service and bridge under ASan, UBSan and TSan, eight clients and packets, five minutes each
	SANITIZE_SECONDS=$${SANITIZE_SECONDS:-300} scripts/isolated.sh $(PYTHON) -m pytest -q -s --timeout 7200 tests/sanitize

fuzz: build ## the handlers under libFuzzer for ten minutes; what it finds new is added to the corpus
	FUZZ_THOROUGH=1 FUZZ_SECONDS=$${FUZZ_SECONDS:-600} $(PYTHON) -m pytest -q -s tests/fuzz

$(WHEELS): pyproject.toml $(STAMP)
	$(VENV)/bin/pip wheel -q --disable-pip-version-check -w build/wheels .
	rm build/wheels/pcn_k8slbrp-*
	touch $@

package: build $(WHEELS) ## a wheel, a source distribution and a .deb in dist/
	scripts/package.sh dist

reproducible: build $(WHEELS) ## build and package twice, in different places: the bytes have to be equal
	scripts/reproducible.sh

cycles: build ## cubes, ports and peers come and go 5,000 times: memory and descriptors of the host stay flat; ten minutes
	CYCLES=5000 $(PYTHON) -m pytest -q -s --timeout 7200 tests/engine/test_cycles.py

check: $(STAMP) ## formatters, linters and type checkers over all files: the hooks of .pre-commit-config.yaml
	$(VENV)/bin/pre-commit run --all-files --color never

clean: ## remove what setup and build made
	rm -rf build dist $(VENV)
