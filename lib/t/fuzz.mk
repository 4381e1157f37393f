# The harnesses t/fuzz_*.c of a folder: with a driver that makes always the same inputs (check-fuzz), and under libFuzzer (fuzz).
# FUZZ_LINKED: the objects and archives that each is linked with.
FUZZERS := $(filter-out fuzz_driver fuzz_fail,$(patsubst t/%.c,%,$(wildcard t/fuzz_*.c)))
HARNESS = $(OUT)/t/fuzz_fail.o $(FUZZ_LINKED)
FUZZ_ROUNDS ?= $(if $(SAN),50000,200000)
FUZZ_SECONDS ?= 60

check-fuzz: $(addprefix $(OUT)/t/,$(FUZZERS))
	set -e; for f in $(FUZZERS); do \
	  FUZZ_TRANSCRIPT=$(OUT)/t/$$f.texts $(OUT)/t/$$f $(FUZZ_ROUNDS) $(OUT)/t/$$f.input; done

# The harnesses under libFuzzer, each for FUZZ_SECONDS; what it finds stays in build-fuzz/corpus.
fuzz:
	@command -v clang >/dev/null || { echo 'make fuzz needs clang, with its libFuzzer' >&2; exit 1; }
	$(MAKE) OUT=build-fuzz SAN=1 CC=clang CFLAGS='-g -fsanitize=fuzzer-no-link' libfuzzer
libfuzzer: $(foreach f,$(FUZZERS),$(OUT)/t/$f $(OUT)/t/$f.libfuzzer)
	set -e; for f in $(FUZZERS); do mkdir -p $(OUT)/corpus/$$f; $(OUT)/t/$$f -w $(OUT)/corpus/$$f; \
	  $(OUT)/t/$$f.libfuzzer -max_total_time=$(FUZZ_SECONDS) -max_len=20000 -timeout=5 -close_fd_mask=1 \
	  -artifact_prefix=$(OUT)/$$f- $(OUT)/corpus/$$f; done

$(OUT)/t/fuzz_driver.o $(OUT)/t/fuzz_fail.o: $(OUT)/t/%.o: $(LIB)/t/%.c | $(OUT)/t
	$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<
$(OUT)/t/fuzz_%: $(OUT)/t/fuzz_%.o $(OUT)/t/fuzz_driver.o $(HARNESS)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(OUT)/t/%.libfuzzer: $(OUT)/t/%.o $(HARNESS)
	$(CC) $(CFLAGS) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LDLIBS)
.PHONY: check-fuzz fuzz libfuzzer
