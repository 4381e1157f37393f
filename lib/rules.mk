# Common build rules, included by every folder's Makefile.
#
#   SAN=1  address and undefined behaviour sanitizers; objects in build-san/
#   CI=…   warnings are errors
# Images are built without it.
-include $(LIB)/../install.mk
OUT := build$(if $(SAN),-san)
CC ?= gcc
CFLAGS ?= -O2 -g
override CFLAGS += -std=c11 -D_GNU_SOURCE -pthread -Wall -Wextra -Wshadow -Wconversion -Wformat=2 -Wvla \
  -Wmissing-prototypes -Wstrict-prototypes -Wwrite-strings -fstack-protector-strong -MMD -MP $(if $(CI),-Werror)
ifdef SAN
override CFLAGS := $(filter-out -O2,$(CFLAGS)) -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
else
override CFLAGS += -D_FORTIFY_SOURCE=2 -fPIE
override LDFLAGS += -pie -Wl,-z,relro,-z,now
endif
MYSQL := $(shell pkg-config --exists libmariadb && echo libmariadb || echo mysqlclient)
LIB_PACKAGES := $(MYSQL) json-c libcrypto
CPPFLAGS += -I$(LIB) -I$(LIB)/$(OUT) $(shell pkg-config --cflags $(LIB_PACKAGES))
LDLIBS = $(shell pkg-config --libs $(LIB_PACKAGES)) -lfcgi

$(OUT)/%.o: %.c | $(OUT)
	$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<
$(OUT):
	mkdir -p $@
-include $(wildcard $(OUT)/*.d)
