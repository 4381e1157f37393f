# shellcheck shell=bash disable=SC2034,SC2154
# client.bash - sourced by migrate, prune, backup, restore and loyalty-erasures
#
# about: what they print about themselves.  db_client: `client`, in `where` how the account $1 reaches the database, with the
# password in the file $2, if any, and in `args` that with how answers are to look.
#
# Reads LOYALTY_DB_SOCKET, or LOYALTY_DB_HOST and LOYALTY_DB_PORT, or else LOYALTY_DB_HOSTS, as the programs have it: of several
# servers the one that they write to.  With LOYALTY_DB_TLS_CA the connection is encrypted and the server's certificate and name
# verified, which each of the two clients wants told in its own way.  Without it, LOYALTY_DB_TLS=off allows plain text to another
# machine.

# Answer -h, --help and -V, in $1, and end; `here` is its folder.  A script's help is the comment on top of it.  The version stands beside this folder, or in it.
about() {
	case ${1-} in
	-h | --help) sed -n '3,/^set /{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[1]}" ;;
	-V) echo "${0##*/} $(cat "$here/../VERSION" 2>/dev/null || cat "$here/VERSION")" ;;
	*) return 0 ;;
	esac
	exit 0
}

# The settings of an installed system, where the environment does not have them: the lines NAME=value of these files.
db_installed() {
	local file name value
	for file in /etc/loyalty/{database,administrator,backup,prune}.conf; do
		[ -r "$file" ] || continue
		while IFS='=' read -r name value; do
			[[ $name =~ ^LOYALTY_[A-Z_]+$ && -z ${!name-} ]] || continue
			[[ $value != \"*\" && $value != \'*\' ]] || value=${value:1:-1}
			export "$name=$value"
		done <"$file"
	done
	[ -n "${LOYALTY_SECRETS-}" ] || export LOYALTY_SECRETS=/etc/loyalty/secrets
}
[[ ${here-} != */share/loyalty/mysql ]] || db_installed

# Print the password in file $1: its first line, without the end, LF or CRLF.  It is its owner's alone, but for what a
# container engine mounts below /run/secrets and systemd below /run/credentials.
db_password() {
	[[ -f $1 && -r $1 ]] || { echo "${0##*/}: error: no password file $1" >&2; return 1; }
	local mode line
	mode=$(stat -L -c %a "$1")
	[[ $mode = *00 || $mode = 0 || $(readlink -f "$1") = /run/@(secrets|credentials)/* ]] || {
		echo "${0##*/}: error: others than its owner may read $1; run: chmod 600 $1" >&2
		return 1
	}
	IFS= read -r line <"$1" || :
	echo "${line//$'\r'/}"
}

# Set `where` to how account $1 reaches server $2: an absolute path is a socket, else HOST[:PORT].
db_reach() {
	where=(--no-defaults --user="$1" --default-character-set=utf8mb4)
	case $2 in
	'') return ;;
	/*)
		where+=(--socket="$2")
		return
		;;
	esac
	local host=${2%:*} port=3306
	[[ $2 != *:* ]] || port=${2##*:}
	where+=(--host="$host" --port="$port" --protocol=tcp)
	if [ -n "${LOYALTY_DB_TLS_CA-}" ]; then
		where+=(--ssl-ca="$LOYALTY_DB_TLS_CA")
		case $("$client" --version) in
		*MariaDB*) where+=(--ssl-verify-server-cert) ;;
		*) where+=(--ssl-mode=VERIFY_IDENTITY) ;;
		esac
	elif [ "${LOYALTY_DB_TLS-required}" != off ]; then
		case $host in
		localhost | 127.*) ;;
		*)
			echo "${0##*/}: $host would be reached in plain text. Set LOYALTY_DB_TLS_CA, or LOYALTY_DB_TLS=off to allow that" >&2
			exit 1
			;;
		esac
	fi
}

# Does server $2 answer account $1, and take writes?  A node of a cluster without a majority answers no SELECT.  One of a MySQL group has to
# be the primary, which procs/group_primary.sql tells, but for a database that was not migrated as yet.
db_takes_writes() {
	local told
	db_reach "$1" "$2"
	told=$("$client" "${where[@]}" --connect-timeout=2 --batch --skip-column-names 2>/dev/null \
		<<<"SELECT @@GLOBAL.read_only + COUNT(*) * 0 FROM information_schema.schemata;
			SHOW GLOBAL VARIABLES WHERE Variable_name = 'group_replication_group_name' AND Value <> '';") || return
	case $told in
	0) ;;
	0$'\n'*)
		told=$("$client" "${where[@]}" --batch --skip-column-names 2>&1 <<<"CALL loyalty.group_primary(@@server_uuid);") || :
		[[ $told = group_primary$'\t'ON || $told = *'ERROR '@(1049|1305)' '* ]]
		;;
	*) return 1 ;;
	esac
}

# Print which of the servers $2... the programs write to: the one that procs/writer_take.sql names, or else the first that takes writes.
db_writer() {
	local account=$1 host named
	shift
	for host; do
		db_takes_writes "$account" "$host" || continue
		named=$("$client" "${where[@]}" --batch --skip-column-names 2>/dev/null <<<"CALL loyalty.writer_take('', '');" | cut -f 1) || named=
		[[ -n $named && " $* " = *" $named "* ]] && db_takes_writes "$account" "$named" || named=$host
		echo "$named"
		return
	done
	echo "${0##*/}: none of these database servers takes writes now: $*" >&2
	return 1
}

db_client() {
	# Which server it is, only the settings above tell: not the client's own variables, nor MySQL's ~/.mylogin.cnf.
	unset MYSQL_HOST MYSQL_TCP_PORT MYSQL_UNIX_PORT MYSQL_PWD MARIADB_HOST MARIADB_TCP_PORT MARIADB_UNIX_PORT
	export MYSQL_TEST_LOGIN_FILE=/nonexistent
	client=$(command -v mariadb || command -v mysql) || { echo "${0##*/}: neither the client mariadb nor mysql is here" >&2; exit 1; }
	if [ -n "${2-}" ]; then
		MYSQL_PWD=$(db_password "$2") || exit 1
		export MYSQL_PWD
	fi
	local host=${LOYALTY_DB_SOCKET:-${LOYALTY_DB_HOST:+$LOYALTY_DB_HOST:${LOYALTY_DB_PORT:-3306}}}
	host=${host:-${LOYALTY_DB_HOSTS-}}
	if [[ $host = *,* ]]; then
		# shellcheck disable=SC2086 # words
		host=$(db_writer "$1" ${host//,/ }) || exit 1
	fi
	db_reach "$1" "$host"
	args=("${where[@]}" --batch --skip-column-names)
}

# Print for a sentence which sessions hold locks on these databases, the oldest first, and what to do: "session 7 (root from localhost,
# transaction open for 300 s) holds: have it commit, or end it with KILL 7".  A server that keeps account of its locks
# (performance_schema.metadata_locks: MySQL) knows; of another only transactions and statements older than a second are known.
db_holders() {
	local among line found=() kills=() word
	for among in holds "may hold"; do
		while IFS= read -r line; do
			found+=("session $line")
			kills+=("KILL ${line%% *}")
		done < <(
			{
				cat <<'SQL'
SET SESSION time_zone = 'SYSTEM';
SELECT CONCAT(p.id, ' (', p.user, ' from ', SUBSTRING_INDEX(p.host, ':', 1), ', ',
    IF(x.trx_started IS NOT NULL, 'transaction open for ', IF(p.command = 'Sleep', 'idle for ', 'statement running for ')),
    COALESCE(TIMESTAMPDIFF(SECOND, x.trx_started, NOW()), p.time), ' s)')
  FROM information_schema.processlist p LEFT JOIN information_schema.innodb_trx x ON x.trx_mysql_thread_id = p.id
  WHERE p.id <> CONNECTION_ID() AND p.user NOT IN ('system user', 'event_scheduler') AND COALESCE(p.state, '') NOT LIKE 'Waiting for%'
    AND COALESCE(TIMESTAMPDIFF(SECOND, x.trx_started, NOW()), p.time) >= 1
SQL
				if [ "$among" = holds ]; then
					cat <<'SQL'
    AND p.id IN (SELECT t.processlist_id FROM performance_schema.metadata_locks l JOIN performance_schema.threads t ON t.thread_id = l.owner_thread_id
      WHERE l.lock_status = 'GRANTED' AND (l.object_schema IN ('loyalty', 'loyalty_history')
        OR l.object_type IN ('GLOBAL', 'BACKUP LOCK') AND l.lock_type = 'SHARED'))
SQL
				else
					echo "AND (x.trx_started IS NOT NULL OR p.command NOT IN ('Sleep', 'Daemon', 'Binlog Dump', 'Binlog Dump GTID'))"
				fi
				echo "ORDER BY COALESCE(TIMESTAMPDIFF(SECOND, x.trx_started, NOW()), p.time) DESC LIMIT 5;"
			} | "$client" "${args[@]}" 2>/dev/null
		)
		[ "${#found[@]}" = 0 ] || break
	done
	case ${#found[@]} in
	0) printf '%s' "a session holds that the server does not name to this account: look at SHOW PROCESSLIST as its root, and end it" ;;
	1) printf '%s' "${found[0]} $among: have it commit, or end it with ${kills[0]}" ;;
	*)
		[ "$among" != holds ] || among=hold
		printf -v word '%s, ' "${found[@]}"
		printf '%s' "${word%, } $among: have them commit, or end them with $(printf '%s; ' "${kills[@]}")"
		;;
	esac
}
