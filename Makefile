# The few commands a person types; Meson does the work.

BUILD := build
CHECK := build-check
BENCH := build-bench
PREFIX ?= /usr/local
SETUP := scripts/setup

.PHONY: all build demo check mutants torture bench bench-proxy interop install clean

all: build

build:
	@$(SETUP) build
	@test -f $(BUILD)/build.ninja || \
	    meson setup $(BUILD) --buildtype=release --prefix=$(PREFIX) \
	        -Dtests=disabled
	@ninja -C $(BUILD)

# Real files between two accounts of a throw-away server.
demo:
	@$(SETUP) build demo
	@$(MAKE) --no-print-directory build
	@scripts/demo $(BUILD)/cli/xferry

# Everything that must hold, with sanitizers.
check:
	@$(SETUP) build check
	@test -f $(CHECK)/build.ninja || \
	    meson setup $(CHECK) --buildtype=debugoptimized -Dtests=enabled \
	        -Db_sanitize=address,undefined -Db_lundef=false
	@ninja -C $(CHECK)
	@meson test -C $(CHECK) --no-rebuild --print-errorlogs

# Takes out one defence at a time: some test has to notice. ONLY='03 17' picks.
mutants:
	@$(SETUP) build check
	@tests/mutants/run $(ONLY)

# What goes wrong, does: every call of a transfer fails, or is the last one;
# power is lost; either end is killed at any time; every edge of a large file.
torture:
	@$(SETUP) build check
	@test -f $(CHECK)/build.ninja || \
	    meson setup $(CHECK) --buildtype=debugoptimized -Dtests=enabled \
	        -Db_sanitize=address,undefined -Db_lundef=false
	@ninja -C $(CHECK) tests/torture/torture
	@$(CHECK)/tests/torture/torture
	@$(MAKE) --no-print-directory build
	@/usr/bin/python3 tests/torture/kills.py $(BUILD)/cli/xferry
	@XFERRY=$(BUILD)/cli/xferry /usr/bin/python3 tests/live/resuming.py all

# What is fast, beside what the machine can do and beside other programs:
# numbers, and pages in doc/bench. It wants the machine for itself.
bench:
	@$(SETUP) build check bench
	@$(MAKE) --no-print-directory build
	@/usr/bin/python3 tests/bench/s5b.py $(BUILD)/cli/xferry
	@XFERRY=$(BUILD)/cli/xferry /usr/bin/python3 tests/live/many.py 1000
	@/usr/bin/python3 tests/rig/bench_ibb.py $(BUILD)/cli/xferry
	@/usr/bin/python3 tests/bench/small.py $(BUILD)/cli/xferry --page
	@/usr/bin/python3 tests/bench/inband.py $(BUILD)/cli/xferry --page

# Our proxy beside other proxies, as numbers: doc/bench/proxy.md. It has the
# machine for itself for some minutes.
bench-proxy:
	@$(SETUP) build check
	@test -f $(BENCH)/build.ninja || \
	    meson setup $(BENCH) --buildtype=release -Dtests=enabled
	@ninja -C $(BENCH) proxyd/xferry-proxy tests/bench/load tests/bench/bare
	@XFERRY_LOAD=$(BENCH)/tests/bench/load /usr/bin/python3 \
	    tests/bench/proxy.py $(BENCH)/proxyd/xferry-proxy

# Other programs beside ours, as a matrix: doc/interop.md.
interop:
	@$(SETUP) build check interop
	@$(MAKE) --no-print-directory build
	@/usr/bin/python3 tests/interop/matrix.py $(BUILD)/cli/xferry

install: build
	@meson install -C $(BUILD) --no-rebuild

clean:
	rm -rf $(BUILD) $(CHECK) $(BENCH)
