# atelier: one Makefile. `make` builds, `make help` lists what else there is.
#
#   MODE=release|debug|coverage|fuzz   which build; each has its folder, build/MODE
#   MPI=0                              one process, without MPI: in build/MODE-serial, compiled with CC
#   V=1                                shows full commands
#   CFLAGS, LDFLAGS, MPICC             as usual; changing one rebuilds what it touches
#   PACKAGE_CFLAGS, PACKAGE_LIBS       for a library pkg-config does not know, e.g. jansson_LIBS="-L/x -ljansson"
# Lasting choices go to config.mk (not in git), which is read first.
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

# Goals that need none of them.
PLAIN_GOALS := help deps demo clean lint format tags
ifneq ($(filter-out $(PLAIN_GOALS),$(or $(MAKECMDGOALS),all)),)
MISSING := $(shell PKG_CONFIG='$(PKG_CONFIG)' MPI='$(MPI)' MPICC='$(MPICC)' HAVE='$(foreach p,$(PACKAGES),$(if $($(p)_LIBS),$(p)))' scripts/check-deps.sh | sed 's/^missing //; s/$$/;/')
ifneq ($(MISSING),)
$(error missing: $(MISSING) `make deps` installs what is missing)
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

# Ranks talk through one of two transports.
OTHER_TRANSPORT := partition/comm_$(if $(IS_SERIAL),mpi,serial).c
LIBRARY_SOURCES := $(filter-out coordinator/main.c $(OTHER_TRANSPORT),$(sort $(shell find common model partition proto workers coordinator -name '*.c')))
GENERATED := $(BUILD)/gen/proto/atelier.pb-c
LIBRARY_OBJECTS := $(LIBRARY_SOURCES:%.c=$(BUILD)/%.o) $(GENERATED).o
LIBRARY := $(BUILD)/libatelier.a
TEST_SOURCES := $(wildcard tests/unit/*.c tests/mpi/*.c tests/fuzz/*.c tests/tools/*.c)
TESTS := $(TEST_SOURCES:%.c=$(BUILD)/%)
TOOLS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/tools/*.c))
FUZZERS := $(patsubst tests/fuzz/%.c,$(BUILD)/tests/fuzz/%,$(wildcard tests/fuzz/*.c))

# Rewritten when a flag changes, and only then: objects are newer than the flags they were made with.
FLAGS := $(BUILD)/flags
.PHONY: force
$(FLAGS): force
	@mkdir -p $(@D); flags='$(subst ','\'',$(MPICC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(WARNINGS) $(LDFLAGS) $(LDLIBS))'; \
	  [ "$$(cat $@ 2>/dev/null)" = "$$flags" ] || printf '%s\n' "$$flags" > $@

# ---- building ------------------------------------------------------------------------------------------------------

.PHONY: all
all: $(BUILD)/atelier ## build the program: build/release/atelier

# "cc  common/rng.c" for the command, unless V=1 (the command itself) or make -s (nothing).
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

$(BUILD)/proto/wire.o: $(GENERATED).c

# The gallery's page as a C string, a line a line.
PAGE := $(BUILD)/gen/coordinator/runfolder/gallery.inc
$(PAGE): coordinator/runfolder/gallery.html
	$(Q)mkdir -p $(@D) && sed 's/\\/\\\\/g; s/"/\\"/g; s/.*/"&\\n"/' $< > $@

$(BUILD)/coordinator/runfolder/gallery.o: $(PAGE)

# Only what prints the commit is rebuilt for another one.
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
EXTRA := $(patsubst tests/%.sh,%,$(wildcard tests/extra/*.sh)) # need what the repository has not; run only when named
# T=rng or T=unit/rng: that one, wherever it lies.
ONE := $(if $(T),$(or $(filter $(T) unit/$(T) mpi/$(T) fuzz/$(T) e2e/$(T) extra/$(T),$(UNIT) $(RANKS) $(FUZZ) $(E2E) $(EXTRA)),$(T)))
# Sanitised and counted builds are slower.
SCALE := $(if $(filter release,$(MODE)),1,6)
# Tests that run at once: most have one thread, or ranks that yield. JOBS=1 for one after the other.
JOBS ?= $(shell n=$$(nproc); echo $$((n > 4 ? 4 : n)))
run_tests = @MPIRUN='$(MPIRUN)' tests/run --build $(BUILD) --scale $(SCALE) --jobs $(JOBS) $(if $(or $(NP),$(IS_SERIAL)),--np $(or $(NP),1))

.PHONY: tests check check-unit check-mpi check-e2e check-fuzz
tests: $(TESTS) ## build the tests
check: all $(if $(T),$(if $(filter extra/%,$(ONE)),tests,$(TOOLS) $(patsubst %,$(BUILD)/tests/%,$(filter unit/% mpi/% fuzz/%,$(ONE)))),tests) ## run all tests; T=NAME one of them, NP=N on N ranks, JOBS=N at once, MODE=debug sanitised
	$(run_tests) $(or $(ONE),$(UNIT) $(FUZZ) $(RANKS) $(if $(IS_SERIAL),,$(E2E)))
check-unit: all tests ## run the tests of one rank
	$(run_tests) $(UNIT) $(FUZZ)
check-mpi: all tests ## run the tests of several ranks
	$(run_tests) $(RANKS)
check-e2e: all tests ## run the tests of the whole program
	$(run_tests) $(E2E)
check-fuzz: ## feed the readers damaged files, FUZZ_SECONDS=20 each (needs clang)
	$(Q)$(MAKE) --no-print-directory MODE=fuzz fuzzers
	@scripts/fuzz.sh build/fuzz/tests/fuzz $(or $(FUZZ_SECONDS),20)

.PHONY: fuzzers
fuzzers: $(FUZZERS)

.PHONY: debug coverage bench
debug: ## build with address and undefined-behaviour sanitisers: build/debug/atelier
	$(Q)$(MAKE) --no-print-directory MODE=debug all
coverage: ## run the tests in a counting build and print line coverage
	$(Q)scripts/coverage.sh $(MAKE)
bench: all ## measure the kernels against this machine's peaks
	$(BUILD)/atelier bench $(BENCH_ARGS)

# ---- the house -----------------------------------------------------------------------------------------------------

.PHONY: help deps demo lint format tags install info clean
help: ## this list
	@echo 'usage: make [TARGET] [MODE=debug] [MPI=0] [V=1]'; echo
	@sed -n 's/^\([a-z][a-z0-9-]*\):[^#]*## \(.*\)/\1\t\2/p' Makefile | sort | awk -F'\t' '{ printf "  %-12s %s\n", $$1, $$2 }'
	@echo '  print-VAR    the value of a variable of this Makefile'
	@echo; echo '  MPI=0        any of these for one process, without MPI: build/release-serial/atelier'
deps: ## install missing libraries with the system's package manager; WITH=all also what lint and fuzzing need
	@scripts/deps.sh $(WITH)
demo: ## from a fresh clone to ranked pictures of three prompts in about a minute
	@scripts/demo.sh $(MAKE)
lint: ## layout, include rule, warnings of two compilers, static checks, names and examples in comments, spelling
	@scripts/lint.sh
format: ## lay out all C files
	@git ls-files -z -- '*.c' '*.h' | xargs -0 clang-format -i
tags: ## index of names for editors (needs ctags)
	@git ls-files -- '*.c' '*.h' | ctags -L - && echo "tags: $$(grep -vc '^!' tags) names"
install: all ## install to PREFIX=/usr/local, below DESTDIR
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/atelier/weights/emoji $(DESTDIR)$(PREFIX)/share/doc/atelier
	install -m 755 $(BUILD)/atelier $(DESTDIR)$(PREFIX)/bin/
	install -m 644 $(wildcard weights/emoji/*) $(DESTDIR)$(PREFIX)/share/atelier/weights/emoji/
	install -m 644 README.md CHANGELOG.md LICENSE $(wildcard docs/*.md) $(DESTDIR)$(PREFIX)/share/doc/atelier/
info: ## compilers, flags and libraries found; backends of this build and CPU
	@echo "mode     $(MODE), in $(BUILD)"; echo "commit   $(DESCRIBE)"
	@echo "compiler $$($(MPICC) --version | head -1)"; echo "flags    $(ALL_CFLAGS)"
	@echo "mpi      $(if $(IS_SERIAL),none (MPI=0): one process,$$($(MPIRUN) --version 2>/dev/null | head -1))"
	@for p in $(PACKAGES); do printf '%-14s %s\n' $$p "$$($(PKG_CONFIG) --modversion $$p)"; done
	@echo; if [ -x $(BUILD)/atelier ]; then $(BUILD)/atelier bench --backends; else echo 'backends: known once built (make)'; fi
print-%:
	@echo '$($*)'
clean: ## remove what was built
	rm -rf build
