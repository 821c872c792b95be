# As root: `make demo` shows the load balancer at work, `make test` proves it. Both set up what they need first.
VENV    := .venv
PYTHON  := $(VENV)/bin/python
STAMP   := $(VENV)/.setup
# What building and running need, and what the tests use besides.
PACKAGES := python3-venv python3-bpfcc build-essential cmake pkg-config libtins-dev libspdlog-dev nlohmann-json3-dev \
            libbpf-dev iproute2 iputils-ping procps clang-format-14 uuid-dev bpftool curl iperf3 traceroute openssl \
            arping ethtool nftables haproxy conntrack

.PHONY: all setup build demo cluster cluster-test test soak crash check bench clean
all: build

setup: $(STAMP)
$(STAMP): pyproject.toml Makefile scripts/install-packages.sh scripts/kernel-headers.sh
	scripts/install-packages.sh $(PACKAGES)
	scripts/kernel-headers.sh
	/usr/bin/python3 -m venv --system-site-packages $(VENV)
	$(VENV)/bin/pip install -q --disable-pip-version-check -e '.[test,check,bench]'
	touch $@

build: $(STAMP)
	cmake -S . -B build -DPython3_EXECUTABLE=$(CURDIR)/$(PYTHON) > build.log 2>&1 || (cat build.log; exit 1)
	cmake --build build -j 2 > build.log 2>&1 || (cat build.log; exit 1)
	rm build.log

# DEMO=--keep leaves it running until Ctrl-C.
demo: build
	$(PYTHON) -m testbed.demo $(DEMO)

# Three nodes with their hosts until Ctrl-C, or until a script ends: CLUSTER='--script FILE'.
cluster: build
	$(PYTHON) -m testbed.cluster $(CLUSTER)

# Rolling updates and scaling under at least 100,000 requests each.
cluster-test: build
	CLUSTER_REQUESTS=100000 $(PYTHON) -m pytest -q tests/kube/test_kube_changes.py --timeout 3600

test: build
	$(PYTHON) -m pytest -q $(TESTS)

# Takes a quarter of an hour on a machine that does nothing else. BENCH='--only per_packet' measures one part.
bench: build
	$(PYTHON) -m bench $(BENCH)

# Services and backends come and go 100,000 times: memory stays flat, no map entry is left behind.
soak: build
	SOAK_CYCLES=100000 $(PYTHON) -m pytest -q -s tests/rest/test_soak.py

# The host is killed 500 times under writers and live connections: nothing that was answered is lost. Takes about an hour.
crash: build
	CRASH_KILLS=500 $(PYTHON) -m pytest -q -s tests/e2e/test_e2e_crash.py

check: $(STAMP)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	clang-format-14 --dry-run --Werror src/*.c src/*.cpp src/*.h src/datapath/*.h codegen/runtime/*.h \
	  bench/programs/*.c bench/programs/*.h

clean:
	rm -rf build $(VENV) *.egg-info
