# shellcheck shell=bash disable=SC2034
# native/lib.bash: what native/stack and the scripts in native/service/ share.  A process costs some milliseconds, and these run often:
# what bash can do by itself it does, and a function sets a variable rather than print.
set -euo pipefail
umask 077
# What runit starts for a part leads a session of its own.
if [[ $0 = ./run && $PWD != */log ]]; then
	read -r _ _ _ _ _ session _ </proc/self/stat
	[ "$session" = "$$" ] || exec chpst -P ./run
fi
[ -n "${top-}" ] || top=$(readlink -f "${BASH_SOURCE[0]}")
top=${top%/native/lib.bash}
# A script that runit starts is in a folder of the system that it belongs to.
var=${var-${PWD%/service/*}}
sv=$var/service
part=${PWD#"$sv/"}
part=${part%/log}

parts=()
declare -A user=([log]=59309) file_of=() secrets_of=() families=() after=() program_of=() made_of=()
while read -r name number file names settings others; do
	[[ $name = [a-z]* ]] || continue
	parts+=("$name")
	user[$name]=$number file_of[$name]=${file#-} secrets_of[$name]=${names#-} families[$name]=$settings after[$name]=${others#-}
done <"$top/native/parts"

die() {
	echo "native/stack: $*" >&2
	exit 1
}

# -- Settings ------------------------------------------------------------------

declare -A told=() # by the environment of `up`, and by $var/env

# Read lines NAME=value of file $1: a subset of systemd's EnvironmentFile: blank lines, # comments, a value bare or in '' or "".
read_env() {
	local line name at=0
	[ -f "$1" ] || return 0
	while read -r line || [ -n "$line" ]; do
		at=$((at + 1)) name=${line%%=*}
		[[ -n $line && $line != [#\;]* ]] || continue
		[[ $line = *=* && $name =~ ^[A-Z][A-Z0-9_]*$ ]] || die "$1:$at: not NAME=value"
		[[ $1 != */env || ($name = LOYALTY_* && ! $name =~ ^LOYALTY_(VAR|SECRETS|BUILD)$) ]] ||
			die "$1:$at: $name is not for this file: give it to \`up\` in the environment"
		line=${line#*=}
		[[ $line != \"*\" && $line != \'*\' ]] || line=${line:1:-1}
		told[$name]=$line
	done <"$1"
}

# What the last `up` was told.
settings_load() {
	[ -f "$var/settings" ] || die "nothing here yet: $var (native/stack up makes it)"
	read_env "$var/settings"
	settings_use
}

settings_use() {
	read_env "$var/env"
	port=${told[HTTPS_PORT]} secrets=${told[LOYALTY_SECRETS]} build=${told[LOYALTY_BUILD]}
	certificate=${told[LOYALTY_NGINX_TLS_CERT]:-$secrets/tls.crt} certificate_key=${told[LOYALTY_NGINX_TLS_KEY]:-$secrets/tls.key}
	run=$var/run
	[ ! -L "$run" ] || run=$(readlink "$run")
	# The part's program, and what it is made of: a file that was built, or its folder.
	local name file
	for name in "${parts[@]}"; do
		file=${file_of[$name]}
		[[ -z $file || $file = /* ]] || file=$top/${file/BUILD/$build}
		program_of[$name]=$file made_of[$name]=$file
		[[ -z $file || $file = /usr/* || ${file_of[$name]} = */BUILD/* ]] || made_of[$name]=${file%/*}
	done
}

# Export what part $1 is started with: its `env`, and over that what was told of its families.
environment() {
	local name family socket=$run/$1.sock
	[ -z "$apart" ] || socket=$run/$1/$1.sock
	set -a
	if [[ $build = *san* ]]; then
		ASAN_OPTIONS=log_path=$var/log/san:exitcode=99
		UBSAN_OPTIONS=log_path=$var/log/san:print_stacktrace=1:halt_on_error=1:exitcode=99
	fi
	# shellcheck source=/dev/null
	[ ! -f "$top/native/service/$1/env" ] || . "$top/native/service/$1/env"
	set +a
	for name in "${!told[@]}"; do
		family=${name#LOYALTY_}
		[[ $name = *SAN_OPTIONS || ($name = LOYALTY_* && ,${families[$1]}, = *,${family%%_*},*) ]] || continue
		export "$name=${told[$name]}"
		# A secret given by value replaces the file, and the reverse.
		[[ $name != *_FILE ]] || unset "${name%_FILE}"
		[[ $name = *_FILE ]] || unset "${name}_FILE"
	done
}

# Set named to the settings that name a file which exists before the part does.
names_of_files() {
	local name
	named=()
	for name in "${!LOYALTY_@}"; do
		[[ ! $name =~ _(FILE|CA|CERT|KEY)$ || $name = *_OWNER_FILE || ! -f ${!name} ]] || named+=("$name")
	done
}

# Print a line that changes when part $1 has to be restarted: what it is started with, which has been exported, and made of.
sum() {
	local name files=("$top/native/service/$1")
	names_of_files
	for name in "${named[@]}"; do
		files+=("${!name}")
	done
	for name in ${secrets_of[$1]//,/ }; do
		files+=("$secrets/$name")
	done
	[ -z "${made_of[$1]}" ] || files+=("${made_of[$1]}")
	{
		# shellcheck disable=SC2153 # from outside
		declare -p "${!LOYALTY_@}" HTTPS_PORT ASAN_OPTIONS UBSAN_OPTIONS LSAN_OPTIONS || :
		find -L "${files[@]}" -type f ! -path "${made_of[$1]}/tests/*" -exec cat {} + || :
	} 2>/dev/null | cksum
}

stamp() {
	(environment "$1" && sum "$1")
}

# Write nginx's configuration into $var/nginx, and down what it is made from.
render() {
	(environment nginx && exec "$top/nginx/render" "$var/nginx") || return 1
	stamp nginx >"$var/nginx/rendered"
	[ -z "$apart" ] || chmod 0711 "$var/nginx" "$var/nginx/tmp"
}

# -- Users ----------------------------------------------------------------------

# Started by root, each part runs as a user of its own, by number: no such user has to exist.  nginx's workers are
# www-data or nobody, whose group may use the sockets.  Root stay runsvdir, its runsv, and nginx's master, as everywhere.
# Started by an ordinary user, or where root is the only user there is (unshare -r), all parts run as the caller.
apart=
web=root web_group=root
if [ "$EUID" = 0 ]; then
	while read -r first _ count; do
		[[ $first -gt 59301 || $((first + count)) -le 59309 ]] || apart=1
	done </proc/self/uid_map
fi
if [ "$apart" ]; then
	for web in www-data nobody ''; do
		[ -n "$web" ] && web_group=$(id -gn "$web" 2>/dev/null) && break
	done || :
	user[nginx]=$web
fi

# Whether part $1 runs as a user of its own.
has_user() {
	[[ $apart && ${user[$1]} = [0-9]* ]]
}

# Fill the array as with what turns the caller into the user of part $1.
as_user() {
	as=()
	! has_user "$1" || as=(chpst -u ":${user[$1]}:${user[$1]}")
}

# Make the folder $2 the one of part $1's user, with all that is in it.
give() {
	[ -d "$2" ] || mkdir -p "$2"
	# From within each folder: its user, who may exchange it for a link meanwhile, cannot lead root elsewhere.
	! has_user "$1" || find "$2" ! -uid "${user[$1]}" -execdir chown -h "${user[$1]}:${user[$1]}" {} +
}

# -- Processes --------------------------------------------------------------------

# What runs under a part is known by two things at once: its session, written down at the start in a file, and a working
# directory below $var, or, where root of a container may not see that, a part's user.  A pid that the system gave to
# somebody else has one of them at most.

# Set found to the pids of the sessions in file $1.  Fails where it could not look at everything: then nothing is known about
# what is left.
session_pids() {
	local sids pid pids cwd state known=''
	found=()
	[ -s "$1" ] || return 0
	mapfile -t sids <"$1"
	printf -v sids '%s,' "${sids[@]}"
	# shellcheck disable=SC2178 # a list in one word
	sids=${sids%,}
	pids=$(pgrep -r D,I,K,P,R,S,T,t,W -s "$sids") || [ $? = 1 ] || return 1
	if [[ $pids && $apart ]]; then
		known=$(IFS=, && pgrep -s "$sids" -u "${user[*]}") || [ $? = 1 ] || return 1
	fi
	for pid in $pids; do
		if cwd=$(readlink "/proc/$pid/cwd"); then
			[[ $cwd != "$var"/* ]] || found+=("$pid")
		elif [[ $'\n'$known$'\n' = *$'\n'$pid$'\n'* ]]; then
			found+=("$pid")
		elif state=$(ps -o stat= -p "$pid") && [[ $state != Z* ]]; then # else it has ended since
			return 1
		fi
	done 2>/dev/null
}

# End with -9 whatever is left of the sessions in file $1.  The file goes only after a look that found nothing.
sessions_kill() {
	[ -e "$1" ] || return 0
	for _ in {1..100}; do
		if session_pids "$1"; then
			[ ${#found[@]} -gt 0 ] || {
				rm -f "$1"
				return
			}
			kill -9 "${found[@]}" 2>/dev/null || :
		fi
		sleep 0.05 || :
	done
	die "could not kill: ${found[*]:-(the processes of $1 could not be listed)}"
}

# -- What runit starts ----------------------------------------------------------------

if [ "$0" = ./run ]; then
	exec 2>&1
	export LANG=C.UTF-8 TZ=UTC # and PATH, from runsvdir
	export -n PWD OLDPWD SHLVL
	settings_load
fi

# Begin part $part: write down the start, end what a killed predecessor has left, which holds the socket, the port, the data
# (nginx's workers outlive a master killed with -9), and export what the program needs.  Sets `as` and `program`.
begin() {
	local made=${made_of[$part]} own_made starts
	echo "$EPOCHSECONDS" >>starts
	mapfile -t starts <starts
	[ ${#starts[@]} -lt 100 ] || printf '%s\n' "${starts[@]: -20}" >starts
	sessions_kill sessions
	echo "$$" >sessions
	ulimit -S -n hard
	environment "$part"
	sum "$part" >stamp
	as_user "$part"
	program=${program_of[$part]}
	# Programs as they are now and the part's secrets, where its user can read them: a checkout may be root's alone.
	if has_user "$part"; then
		if [[ $made = "$top"/* ]]; then
			program=$var/programs/${program#"${made%/*}/"}
			own_made=$var/programs/${made##*/}
			rm -rf "$own_made.new" && cp -R --preserve=mode,timestamps,links "$made" "$own_made.new"
			chmod -R u=rwX,go=rX "$own_made.new"
			rm -rf "$own_made" && mv "$own_made.new" "$own_made"
		fi
		[ -z "${secrets_of[$part]}" ] || begin_secrets "$var/private/$part"
	fi
	# A program that never waits for its log opens standard error once more.
	[ -z "$apart" ] || chown "${user[${part/nginx/log}]}" /proc/self/fd/2 || :
}

# Copy the part's secrets, and the files that its settings name, into folder $1, of its user.
begin_secrets() {
	local name files=()
	for name in ${secrets_of[$part]//,/ }; do
		files+=("$secrets/$name")
	done
	rm -rf "$1" && mkdir "$1"
	cp --preserve=mode "${files[@]}" "$1/"
	secrets=$1
	environment "$part"
	names_of_files
	for name in "${named[@]}"; do
		[[ ${!name} != "$1"/* ]] || continue
		cp --preserve=mode "${!name}" "$1/$name"
		export "$name=$1/$name"
	done
	give "$part" "$1"
}

# Set `socket` to where the part makes its socket.  Started by root, in a folder of its own, of mode $1: what is made there
# gets the group of nginx's workers; run/NAME.sock is a link to it.
socket() {
	socket=$run/$part.sock
	if [ "$apart" ]; then
		install -d -o "${user[$part]}" -g "$web_group" -m "$1" "$run/$part"
		ln -sfn "$part/$part.sock" "$socket"
		socket=$run/$part/$part.sock
	fi
	[ ! -e "$socket" ] || rm -f "$socket"
}

# Begin the log of part $part: its folder is that of svlogd's user.  Sets `as`, and `log` to svlogd's command.
begin_log() {
	local config=$'s10000000\nn31\nt86400'
	as_user log
	give log "$var/log/$part"
	cd "$var/log/$part" # svlogd reads its working directory, as its own user
	# Root writes nothing into a folder of another user.
	# shellcheck disable=SC2016 # of the inner shell
	[[ -f config && $(<config) = "$config" ]] || "${as[@]}" bash -c 'echo "$1" >config' - "$config" || :
	log=("${as[@]}" svlogd -l 4000 -b 8192 "$PWD")
}
