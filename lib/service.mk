# One FastCGI service: PROGRAM, which is cgi-NAME, from all *.c of its folder, and libloyalty.a.
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

# Its systemd units are those of lib/systemd/ under its name.
name = $(PROGRAM:cgi-%=%)
install: all
	$(call put,0755,$(libexec),$(OUT)/$(PROGRAM))
	$(call put,0644,$(mandir)/man8,$(PROGRAM).8)
	$(call config,$(name).conf)
	$(call filled,$(LIB)/systemd/loyalty-service.socket.in,$(unitdir)/loyalty-$(name).socket)
	$(call filled,$(LIB)/systemd/loyalty-service@.service.in,$(unitdir)/loyalty-$(name)@.service)
	$(call filled,$(LIB)/systemd/loyalty-service.sysusers.in,$(sysusersdir)/loyalty-$(name).conf)

clean:
	rm -rf build build-san
.PHONY: all check install clean lib
