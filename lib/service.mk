# One FastCGI service: PROGRAM from all *.c of its folder, and libloyalty.a.
.DEFAULT_GOAL := all
LIB := ../lib
include $(LIB)/rules.mk

OBJECTS := $(patsubst %.c,$(OUT)/%.o,$(wildcard *.c))

all: $(OUT)/$(PROGRAM)
$(OUT)/$(PROGRAM): $(OBJECTS) $(LIB)/$(OUT)/libloyalty.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(OBJECTS): | lib
$(LIB)/$(OUT)/libloyalty.a: lib ;
lib:
	$(MAKE) -C $(LIB) all

# The library's tests (LIB_CHECKED=1: they have just run), and the routes that this program has, as it says itself.
check: all
	$(if $(LIB_CHECKED),,$(MAKE) -C $(LIB) check)
	./$(OUT)/$(PROGRAM) -r | diff -u t/routes.expected -
	./$(OUT)/$(PROGRAM) -h >/dev/null
	! LOYALTY_NONSENSE=1 ./$(OUT)/$(PROGRAM) -t 2>/dev/null

clean:
	rm -rf build build-san
.PHONY: all check clean lib
