# shellcheck shell=sh
# For render, keys, reload, count, rotate and site: the nginx that serves what is
# in the folder $dir, and changes that it may refuse.  It is our own, which was
# started with $dir/nginx.conf, or, where LOYALTY_NGINX_CONF names its main
# configuration, an admin's, which includes $dir/http.conf and $dir/site.conf.
# shellcheck shell=sh
# shellcheck disable=SC2154 # dir is the caller's
PATH=$PATH:/usr/sbin:/sbin

# Print knob $1 as it was rendered into $dir.
rendered() {
	sed -n "s/^$1=//p" "$dir/gateway.env" 2>/dev/null || :
}

# Print the pid of its master process; fails where none runs.
master() {
	conf=$(rendered LOYALTY_NGINX_CONF)
	file=$dir/nginx.pid mark=$dir/nginx.conf
	if [ -n "$conf" ]; then
		file=$(sed -n 's/^[ \t]*pid[ \t]\{1,\}"\{0,1\}\([^";]*\)"\{0,1\};.*/\1/p' "$conf")
		[ -n "$file" ] || file=$(nginx -V 2>&1 | sed -n 's/.*--pid-path=\([^ ]*\).*/\1/p')
		mark='nginx: master process'
	fi
	pid=$(cat "$file" 2>/dev/null || :)
	# Only what is ours: pids are given to others.
	[ -n "$pid" ] && { tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null | grep -qF "$mark" || return 1
	echo "$pid"
}

# Have it open its logs again.
reopen() {
	if pid=$(master); then
		kill -USR1 "$pid"
	fi
}

# Have nginx test all that it would read at a reload, what is not ours included.
# Where it refuses, the reason is on stderr.
whole() {
	conf=$(rendered LOYALTY_NGINX_CONF)
	if [ -n "$conf" ]; then
		nginx -t -q -e stderr -c "$conf"
	else
		nginx -t -q -e stderr -p "$dir" -c "$dir/nginx.conf"
	fi
}

# -- Changes --------------------------------------------------------------------
# keep; new files; then forget, or undo.  Whoever is ended in between leaves an
# undo to the next one, so that a change that nginx was not seen to take does not
# last.  The caller holds the lock.

files='gateway.env keys.map http.conf site.conf nginx.conf'

keep() {
	undo
	rm -rf "$dir/undo.new"
	mkdir "$dir/undo.new"
	for f in $files; do
		[ ! -e "$dir/$f" ] || cp -p "$dir/$f" "$dir/undo.new/$f"
	done
	mv "$dir/undo.new" "$dir/undo"
}

forget() {
	rm -rf "$dir/undo.old"
	mv "$dir/undo" "$dir/undo.old"
	rm -rf "$dir/undo.old"
}

undo() {
	[ -d "$dir/undo" ] || return 0
	for f in $files; do
		if [ -e "$dir/undo/$f" ]; then
			cp -p "$dir/undo/$f" "$dir/$f.undo"
			mv "$dir/$f.undo" "$dir/$f"
		else
			rm -f "$dir/$f"
		fi
	done
	forget
}

# Have nginx take over the new files; where it refuses, put back what was there,
# say whose fault it is, and fail.  $1: what has changed.  Status 2: no nginx runs.
take_over() {
	if told=$(whole 2>&1); then
		rc=0
		"$here/reload" "$dir" || rc=$?
		if [ "$rc" != 1 ]; then
			forget
			return "$rc"
		fi
		undo
		return 1
	fi
	undo
	if ! whole >/dev/null 2>&1 && [ -n "$(rendered LOYALTY_NGINX_CONF)" ]; then
		echo "nginx refuses its configuration even without this change: the fault is not in Loyalty's new files. Nothing was changed:" >&2
	else
		echo "nginx refuses $1; what was in force stays:" >&2
	fi
	echo "$told" >&2
	return 1
}

# Write $dir/public-key.pem, by which the console knows the gateway: that of the
# certificate that nginx has just read.
tell_public_key() {
	cert=$(rendered LOYALTY_NGINX_TLS_CERT)
	openssl x509 -in "${cert:-$(rendered LOYALTY_SECRETS)/tls.crt}" -noout -pubkey >"$dir/public-key.new" || return
	chmod 0644 "$dir/public-key.new"
	mv "$dir/public-key.new" "$dir/public-key.pem"
}
