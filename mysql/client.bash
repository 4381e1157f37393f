# shellcheck shell=bash disable=SC2034
# client.bash - sourced by migrate, prune, backup and restore: `client`, in `where` how the account $1 reaches the database, and in
# `args` that with how answers are to look
#
# Reads LOYALTY_DB_SOCKET, or LOYALTY_DB_HOST and LOYALTY_DB_PORT with LOYALTY_DB_TLS_CA: set, the connection is
# encrypted and the server's certificate and name verified, which each of the two clients wants told in its own way.
# Without it, LOYALTY_DB_TLS=off allows plain text to another machine.

# Print the password in file $1: its first line, without the end, LF or CRLF.  It is its owner's alone, but for what a
# container engine mounts below /run/secrets.
db_password() {
	[[ -f $1 && -r $1 ]] || { echo "${0##*/}: error: no password file $1" >&2; return 1; }
	case $(stat -L -c %a "$1"):$(readlink -f "$1") in
	*00:* | 0:* | *:/run/secrets/*) ;;
	*) echo "${0##*/}: error: others than its owner may read $1; run: chmod 600 $1" >&2; return 1 ;;
	esac
	head -n 1 "$1" | tr -d '\r'
}

db_client() {
	# Which server it is, only the settings above tell: not the client's own variables, nor MySQL's ~/.mylogin.cnf.
	unset MYSQL_HOST MYSQL_TCP_PORT MYSQL_UNIX_PORT MYSQL_PWD MARIADB_HOST MARIADB_TCP_PORT MARIADB_UNIX_PORT
	export MYSQL_TEST_LOGIN_FILE=/nonexistent
	client=$(command -v mariadb || command -v mysql) || { echo "${0##*/}: neither the client mariadb nor mysql is here" >&2; exit 1; }
	where=(--no-defaults --user="$1" --default-character-set=utf8mb4)
	if [ -n "${LOYALTY_DB_SOCKET-}" ]; then
		where+=(--socket="$LOYALTY_DB_SOCKET")
	elif [ -n "${LOYALTY_DB_HOST-}" ]; then
		where+=(--host="$LOYALTY_DB_HOST" --port="${LOYALTY_DB_PORT:-3306}" --protocol=tcp)
		if [ -n "${LOYALTY_DB_TLS_CA-}" ]; then
			where+=(--ssl-ca="$LOYALTY_DB_TLS_CA")
			case $("$client" --version) in
			*MariaDB*) where+=(--ssl-verify-server-cert) ;;
			*) where+=(--ssl-mode=VERIFY_IDENTITY) ;;
			esac
		elif [ "${LOYALTY_DB_TLS-required}" != off ]; then
			case $LOYALTY_DB_HOST in
			localhost | 127.*) ;;
			*)
				echo "${0##*/}: $LOYALTY_DB_HOST would be reached in plain text. Set LOYALTY_DB_TLS_CA, or LOYALTY_DB_TLS=off to allow that" >&2
				exit 1
				;;
			esac
		fi
	fi
	args=("${where[@]}" --batch --skip-column-names)
}
