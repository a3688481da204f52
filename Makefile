# atelier: one Makefile. `make help` lists what it does.
MODE ?= release
BUILD ?= build/$(MODE)
MPICC ?= mpicc
PKG_CONFIG ?= pkg-config
PROTOC_C ?= protoc-c

PACKAGES := openblas libpng libprotobuf-c jansson libzip libpcre2-8 libutf8proc libxxhash zlib libcrypto
CFLAGS_release := -O2 -g
CFLAGS_debug := -O1 -g -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined
CFLAGS_coverage := -O0 -g --coverage
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wno-psabi
CFLAGS ?= $(CFLAGS_$(MODE))
CPPFLAGS += -I. -I$(BUILD)/gen -D_GNU_SOURCE -DATL_GIT_DESCRIBE='"$(shell git describe --always --dirty 2>/dev/null)"'
ALL_CFLAGS := -std=c11 $(CFLAGS) $(WARNINGS) -fopenmp $(shell $(PKG_CONFIG) --cflags $(PACKAGES))
LDLIBS := $(shell $(PKG_CONFIG) --libs $(PACKAGES)) -ldnnl -lm
Q := $(if $(V),,@)

LIBRARY_SOURCES := $(filter-out coordinator/main.c,$(wildcard common/*.c model/*.c model/*/*.c partition/*.c proto/*.c workers/*.c coordinator/*.c coordinator/*/*.c))
GENERATED := $(BUILD)/gen/proto/atelier.pb-c
LIBRARY_OBJECTS := $(LIBRARY_SOURCES:%.c=$(BUILD)/%.o) $(GENERATED).o
LIBRARY := $(BUILD)/libatelier.a
TEST_SOURCES := $(wildcard tests/unit/*.c tests/mpi/*.c)
TESTS := $(TEST_SOURCES:%.c=$(BUILD)/%)

.PHONY: all
all: $(BUILD)/atelier ## build the program

$(BUILD)/atelier: $(BUILD)/coordinator/main.o $(LIBRARY)
	$(Q)$(MPICC) $(ALL_CFLAGS) $(LDFLAGS) $^ $(LDLIBS) -o $@

$(LIBRARY): $(LIBRARY_OBJECTS)
	$(Q)rm -f $@; ar rcs $@ $^

$(GENERATED).c: proto/atelier.proto
	$(Q)mkdir -p $(@D) && $(PROTOC_C) --c_out=$(BUILD)/gen $<

$(GENERATED).o: $(GENERATED).c
	$(Q)$(MPICC) $(CPPFLAGS) -std=c11 $(CFLAGS) -c $< -o $@

$(BUILD)/proto/wire.o: $(GENERATED).c

# The gallery's page as a C string, a line a line.
PAGE := $(BUILD)/gen/coordinator/gallery.inc
$(PAGE): coordinator/gallery.html
	$(Q)mkdir -p $(@D) && sed 's/\\/\\\\/g; s/"/\\"/g; s/.*/"&\\n"/' $< > $@

$(BUILD)/coordinator/gallery.o: $(PAGE)

$(BUILD)/%.o: %.c
	$(Q)mkdir -p $(@D) && $(MPICC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/tests/%: $(BUILD)/tests/%.o $(LIBRARY)
	$(Q)$(MPICC) $(ALL_CFLAGS) $(LDFLAGS) $^ $(LDLIBS) -o $@

.PHONY: tests
tests: $(TESTS)

.PHONY: clean
clean: ## remove what was built
	rm -rf build

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
.SECONDARY:
