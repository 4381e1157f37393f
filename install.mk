# Where `make install` puts things: the variables of the GNU coding standards, and systemd's folders.  Each folder's Makefile
# includes this file.  A distribution's package: make install DESTDIR=... prefix=/usr sysconfdir=/etc
prefix = /usr/local
exec_prefix = $(prefix)
bindir = $(exec_prefix)/bin
sbindir = $(exec_prefix)/sbin
libexecdir = $(exec_prefix)/libexec
datarootdir = $(prefix)/share
datadir = $(datarootdir)
mandir = $(datarootdir)/man
sysconfdir = $(prefix)/etc
unitdir = $(prefix)/lib/systemd/system
sysusersdir = $(prefix)/lib/sysusers.d
tmpfilesdir = $(prefix)/lib/tmpfiles.d

libexec = $(libexecdir)/loyalty
share = $(datadir)/loyalty
conf = $(sysconfdir)/loyalty

# $(call put,MODE,FOLDER,FILES): install files as they are.
put = install -d '$(DESTDIR)$(2)' && install -m $(1) $(3) '$(DESTDIR)$(2)'
# $(call tree,FOLDERS AND FILES,FOLDER): install all that is in them, under the same names.
tree = install -d '$(DESTDIR)$(2)' && find $(1) -type f -print0 | xargs -0 cp --parents -t '$(DESTDIR)$(2)' && chmod -R u=rwX,go=rX '$(DESTDIR)$(2)'
# $(call filled,FILE.in,FILE): install a file in which @libexec@, @share@, @conf@, @sbin@ and @name@ stand for what they are here.
filled = install -d '$(DESTDIR)$(dir $(2))' && sed -e 's|@libexec@|$(libexec)|g; s|@share@|$(share)|g; s|@conf@|$(conf)|g; s|@sbin@|$(sbindir)|g; s|@name@|$(name)|g' \
	$(1) >'$(DESTDIR)$(2)' && chmod 0644 '$(DESTDIR)$(2)'
# $(call units,FILES.in): units with the paths of here.
units = set -e; $(foreach unit,$(1),$(call filled,$(unit),$(unitdir)/$(basename $(notdir $(unit))));)
# $(call config,FILES): configuration, where there is none yet.
config = install -d '$(DESTDIR)$(conf)' && for file in $(1); do [ -e '$(DESTDIR)$(conf)/'$${file\#\#*/} ] || \
	install -m 0644 $$file '$(DESTDIR)$(conf)' || exit 1; done
