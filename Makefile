# The Makefile of atelier. `make` builds the program; `make help` lists all targets.
#
#   MODE=release|debug|coverage|fuzz   selects the build; each has its own folder build/MODE
#   MPI=0                              builds for one process without MPI, with CC, in build/MODE-serial
#   V=1                                prints full commands
#   CFLAGS, LDFLAGS, MPICC             as usual; a change rebuilds what depends on them
#   NAME_CFLAGS, NAME_LIBS             flags of a library that pkg-config does not find, e.g. jansson_LIBS="-L/x -ljansson"
# Settings to keep go into config.mk, which is read first and is not in git.
-include config.mk

MODE ?= release
MPI ?= 1
IS_SERIAL := $(filter 0,$(MPI))
BUILD ?= build/$(MODE)$(if $(IS_SERIAL),-serial)
PREFIX ?= /usr/local
ifeq ($(origin CC),default)
CC := gcc
endif
ifneq ($(IS_SERIAL),)
override MPICC := $(CC)
endif
MPICC ?= mpicc
PKG_CONFIG ?= pkg-config
PROTOC_C ?= protoc-c
MPIRUN ?= mpirun
Q := $(if $(V),,@)
.DEFAULT_GOAL := all
.SECONDARY:
.DELETE_ON_ERROR:

# ---- libraries -----------------------------------------------------------------------------------------------------

PACKAGES := openblas libpng libprotobuf-c jansson libzip libpcre2-8 libutf8proc libxxhash zlib libcrypto

# Targets that need no library.
PLAIN_GOALS := help deps demo clean lint format tags
ifneq ($(filter-out $(PLAIN_GOALS),$(or $(MAKECMDGOALS),all)),)
MISSING := $(shell PKG_CONFIG='$(PKG_CONFIG)' MPI='$(MPI)' MPICC='$(MPICC)' HAVE='$(foreach p,$(PACKAGES),$(if $($(p)_LIBS),$(p)))' scripts/check-deps.sh | sed 's/^missing //; s/$$/;/')
ifneq ($(MISSING),)
$(error missing: $(MISSING) `make deps` installs them)
endif
define package
$(1)_CFLAGS ?= $$(shell $(PKG_CONFIG) --cflags $(1))
$(1)_LIBS ?= $$(shell $(PKG_CONFIG) --libs $(1))
PACKAGE_CFLAGS += $$($(1)_CFLAGS)
PACKAGE_LIBS += $$($(1)_LIBS)
endef
PACKAGE_CFLAGS :=
PACKAGE_LIBS :=
$(foreach p,$(PACKAGES),$(eval $(call package,$(p))))
endif
dnnl_LIBS ?= -ldnnl

# ---- flags ---------------------------------------------------------------------------------------------------------

CFLAGS_release := -O2 -g
CFLAGS_debug := -O1 -g -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined
CFLAGS_coverage := -O0 -g --coverage -fprofile-update=atomic
CFLAGS_fuzz := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
WARNINGS ?= -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wno-psabi
CFLAGS ?= $(CFLAGS_$(MODE))
ALL_CPPFLAGS := -I. -I$(BUILD)/gen -D_GNU_SOURCE $(if $(IS_SERIAL),-DATL_SERIAL) $(CPPFLAGS)
ALL_CFLAGS := -std=c11 $(CFLAGS) -fopenmp $(PACKAGE_CFLAGS)
LDLIBS := $(PACKAGE_LIBS) $(dnnl_LIBS) -lm
DESCRIBE := $(shell git describe --always --dirty 2>/dev/null)
ifeq ($(MODE),fuzz)
export OMPI_CC := clang
endif

# ---- files ---------------------------------------------------------------------------------------------------------

# The transport that this build leaves out: MPI, or one process alone.
OTHER_TRANSPORT := partition/comm_$(if $(IS_SERIAL),mpi,serial).c
LIBRARY_SOURCES := $(filter-out coordinator/main.c $(OTHER_TRANSPORT),$(sort $(shell find common model partition proto workers coordinator -name '*.c')))
GENERATED := $(BUILD)/gen/proto/atelier.pb-c
LIBRARY_OBJECTS := $(LIBRARY_SOURCES:%.c=$(BUILD)/%.o) $(GENERATED).o
LIBRARY := $(BUILD)/libatelier.a
TEST_SOURCES := $(wildcard tests/unit/*.c tests/mpi/*.c tests/fuzz/*.c tests/tools/*.c)
TESTS := $(TEST_SOURCES:%.c=$(BUILD)/%)
TOOLS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/tools/*.c))
FUZZERS := $(patsubst tests/fuzz/%.c,$(BUILD)/tests/fuzz/%,$(wildcard tests/fuzz/*.c))

# Holds the flags and is rewritten only when one changes. Objects depend on it, so a changed flag rebuilds them.
FLAGS := $(BUILD)/flags
.PHONY: force
$(FLAGS): force
	@mkdir -p $(@D); flags='$(subst ','\'',$(MPICC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(WARNINGS) $(LDFLAGS) $(LDLIBS))'; \
	  [ "$$(cat $@ 2>/dev/null)" = "$$flags" ] || printf '%s\n' "$$flags" > $@

# ---- building ------------------------------------------------------------------------------------------------------

.PHONY: all
all: $(BUILD)/atelier ## build the program: build/release/atelier

# Prints "cc  common/rng.c" instead of the command; V=1 prints the command, make -s prints nothing.
IS_SILENT := $(findstring s,$(firstword -$(MAKEFLAGS)))
say = $(if $(V),,@$(if $(IS_SILENT),,printf '  %-5s %s\n' $(1) $(2);))

$(BUILD)/atelier: $(BUILD)/coordinator/main.o $(LIBRARY)
	$(call say,link,$@)$(MPICC) $(ALL_CFLAGS) $(LDFLAGS) $(filter %.o %.a,$^) $(LDLIBS) -o $@

$(LIBRARY): $(LIBRARY_OBJECTS)
	$(call say,ar,$@)rm -f $@; ar rcs $@ $^

$(GENERATED).c: proto/atelier.proto
	$(Q)mkdir -p $(@D) && $(PROTOC_C) --c_out=$(BUILD)/gen $<

$(GENERATED).o: $(GENERATED).c $(FLAGS)
	$(Q)$(MPICC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -c $< -o $@

$(patsubst %.c,$(BUILD)/%.o,$(wildcard proto/wire*.c)): $(GENERATED).c

# The gallery's page as a C string, one literal per line.
PAGE := $(BUILD)/gen/coordinator/runfolder/gallery.inc
$(PAGE): coordinator/runfolder/gallery.html
	$(Q)mkdir -p $(@D) && sed 's/\\/\\\\/g; s/"/\\"/g; s/.*/"&\\n"/' $< > $@

$(BUILD)/coordinator/runfolder/gallery.o: $(PAGE)

# A new commit rebuilds only the files that contain its name.
DESCRIBED := $(patsubst %.c,$(BUILD)/%.o,$(shell grep -rl --include='*.c' ATL_GIT_DESCRIBE common coordinator))
$(DESCRIBED): ALL_CPPFLAGS += $(if $(DESCRIBE),-DATL_GIT_DESCRIBE='"$(DESCRIBE)"')
$(DESCRIBED): $(BUILD)/describe
$(BUILD)/describe: force
	@mkdir -p $(@D); [ "$$(cat $@ 2>/dev/null)" = '$(DESCRIBE)' ] || printf '%s\n' '$(DESCRIBE)' > $@

$(BUILD)/%.o: %.c $(FLAGS)
	$(call say,cc,$<)mkdir -p $(@D) && $(MPICC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(WARNINGS) -MMD -MP -c $< -o $@

$(BUILD)/tests/%: $(BUILD)/tests/%.o $(LIBRARY)
	$(call say,link,$@)$(MPICC) $(ALL_CFLAGS) $(LDFLAGS) $(filter %.o %.a,$^) $(LDLIBS) -o $@

ifeq ($(MODE),fuzz)
$(FUZZERS): private LDFLAGS += -fsanitize=fuzzer
$(FUZZERS:%=%.o): private ALL_CPPFLAGS += -DATL_LIBFUZZER
endif

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

# ---- testing -------------------------------------------------------------------------------------------------------

UNIT := $(patsubst tests/%.c,%,$(wildcard tests/unit/*.c))
RANKS := $(patsubst tests/%.c,%,$(wildcard tests/mpi/*.c))
FUZZ := $(patsubst tests/%.c,%,$(wildcard tests/fuzz/*.c))
E2E := $(patsubst tests/%.sh,%,$(wildcard tests/e2e/*.sh))
EXTRA := $(patsubst tests/%.sh,%,$(wildcard tests/extra/*.sh)) # need files that are not in the repository; run only by name
# The tests that T names, with or without their folder: T=rng or T=unit/rng.
ONE := $(if $(T),$(or $(filter $(T) unit/$(T) mpi/$(T) fuzz/$(T) e2e/$(T) extra/$(T),$(UNIT) $(RANKS) $(FUZZ) $(E2E) $(EXTRA)),$(T)))
# Timeouts are this many times longer: debug and coverage builds are slower.
SCALE := $(if $(filter release,$(MODE)),1,6)
# Number of tests that run at the same time. Most tests have one thread, or ranks that yield; JOBS=1 runs one by one.
JOBS ?= $(shell n=$$(nproc); echo $$((n > 4 ? 4 : n)))
run_tests = @MPIRUN='$(MPIRUN)' tests/run --build $(BUILD) --scale $(SCALE) --jobs $(JOBS) $(if $(or $(NP),$(IS_SERIAL)),--np $(or $(NP),1))

.PHONY: tests check check-unit check-mpi check-e2e check-fuzz
tests: $(TESTS) ## build the tests
check: all $(if $(T),$(if $(filter extra/%,$(ONE)),tests,$(TOOLS) $(patsubst %,$(BUILD)/tests/%,$(filter unit/% mpi/% fuzz/%,$(ONE)))),tests) ## run all tests; T=NAME runs one, NP=N uses N ranks, JOBS=N runs N at a time, MODE=debug adds sanitisers
	$(run_tests) $(or $(ONE),$(UNIT) $(FUZZ) $(RANKS) $(if $(IS_SERIAL),,$(E2E)))
check-unit: all tests ## run the unit and damaged-file tests, on one rank
	$(run_tests) $(UNIT) $(FUZZ)
check-mpi: all tests ## run the tests of MPI code, on several ranks
	$(run_tests) $(RANKS)
check-e2e: all tests ## run the end-to-end tests of the program
	$(run_tests) $(E2E)
check-fuzz: ## fuzz each reader with libFuzzer for FUZZ_SECONDS=20 (needs clang)
	$(Q)$(MAKE) --no-print-directory MODE=fuzz fuzzers
	@scripts/fuzz.sh build/fuzz/tests/fuzz $(or $(FUZZ_SECONDS),20)

.PHONY: fuzzers
fuzzers: $(FUZZERS)

.PHONY: debug coverage bench
debug: ## build with address and undefined-behaviour sanitisers: build/debug/atelier
	$(Q)$(MAKE) --no-print-directory MODE=debug all
coverage: ## run the tests in a coverage build and print line coverage
	$(Q)scripts/coverage.sh $(MAKE)
bench: all ## measure this machine's ceilings and the kernels; BENCH_ARGS=... passes options
	$(BUILD)/atelier bench $(BENCH_ARGS)

# ---- other targets -----------------------------------------------------------------------------------------------------

.PHONY: help deps demo lint format tags install info clean
help: ## list the targets
	@echo 'usage: make [TARGET] [MODE=debug] [MPI=0] [V=1]'; echo
	@sed -n 's/^\([a-z][a-z0-9-]*\):[^#]*## \(.*\)/\1\t\2/p' Makefile | sort | awk -F'\t' '{ printf "  %-12s %s\n", $$1, $$2 }'
	@echo '  print-VAR    print the value of a variable of this Makefile'
	@echo; echo '  MPI=0        build and test for one process, without MPI: build/release-serial/atelier'
deps: ## install missing libraries with the system's package manager; WITH=all adds the tools of lint and fuzzing
	@scripts/deps.sh $(WITH)
demo: ## build from a fresh clone and draw ranked pictures of three prompts, in about a minute
	@scripts/demo.sh $(MAKE)
lint: ## check formatting, include rules, compiler warnings, static analysis, names and examples in comments, spelling
	@scripts/lint.sh
format: ## format all C files with clang-format
	@git ls-files -z -- '*.c' '*.h' | xargs -0 clang-format -i
tags: ## write an index of names for editors (needs ctags)
	@git ls-files -- '*.c' '*.h' | ctags -L - && echo "tags: $$(grep -vc '^!' tags) names"
install: all ## install below PREFIX=/usr/local; DESTDIR stages the installation
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/atelier/weights/emoji $(DESTDIR)$(PREFIX)/share/doc/atelier
	install -m 755 $(BUILD)/atelier $(DESTDIR)$(PREFIX)/bin/
	install -m 644 $(wildcard weights/emoji/*) $(DESTDIR)$(PREFIX)/share/atelier/weights/emoji/
	install -m 644 README.md CHANGELOG.md LICENSE $(wildcard docs/*.md) $(DESTDIR)$(PREFIX)/share/doc/atelier/
info: ## print the compilers, flags and libraries found, and the backends of this build and CPU
	@echo "mode     $(MODE), in $(BUILD)"; echo "commit   $(DESCRIBE)"
	@echo "compiler $$($(MPICC) --version | head -1)"; echo "flags    $(ALL_CFLAGS)"
	@echo "mpi      $(if $(IS_SERIAL),none (MPI=0): one process,$$($(MPIRUN) --version 2>/dev/null | head -1))"
	@for p in $(PACKAGES); do printf '%-14s %s\n' $$p "$$($(PKG_CONFIG) --modversion $$p)"; done
	@echo; if [ -x $(BUILD)/atelier ]; then $(BUILD)/atelier bench --backends; else echo 'backends: run make first'; fi
print-%:
	@echo '$($*)'
clean: ## remove the build folder
	rm -rf build
