# shellcheck shell=bash
# Completion of loyalty(1) for bash: source it, or install it as loyalty into
# /usr/share/bash-completion/completions.  Words only: it asks no server.
# cli/t holds it against the tool's own list of commands and options.

_loyalty() {
	local commands='rooms room room-add room-set users user user-put user-erase user-export points reserve reservations reservation
		pending approve reject release cancel history events outbox mail outbox-retry summary audit metrics ready help'
	local everywhere='--url --key-file --ca --actor --json --wait --help'
	local word prev command='' options='' words='' i place=0
	COMPREPLY=()
	word=${COMP_WORDS[COMP_CWORD]}
	prev=${COMP_WORDS[COMP_CWORD - 1]}
	# bash parts --name=value at the =
	if [ "$word" = '=' ]; then
		word=''
	elif [ "$prev" = '=' ]; then
		prev=${COMP_WORDS[COMP_CWORD - 2]}
	fi

	# The command, and how many of its arguments are there already.
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--json | --all | --available | --archive | --unarchive | --help) ;;
		--*) # its value, and the = between
			[ "${COMP_WORDS[i + 1]-}" != '=' ] || i=$((i + 1))
			i=$((i + 1))
			;;
		*)
			if [ -z "$command" ]; then
				command=${COMP_WORDS[i]}
			else
				place=$((place + 1))
			fi
			;;
		esac
	done
	case $command in
	rooms) options='--available --max-points --sort --limit --all' ;;
	room-set) options='--name --total --price --archive --unarchive' ;;
	users) options='--ids --sort --limit --all' ;;
	pending) options='--limit --all' ;;
	reservations) options='--user --status --ids --limit --all' ;;
	approve) options='--points --idempotency-key' ;;
	room-add | user-erase | points | reserve | reject | release | cancel | outbox-retry) options='--idempotency-key' ;;
	history) options='--id --user --since --until --limit --all' ;;
	events) options='--since --limit --all' ;;
	outbox) options='--status --limit --all' ;;
	esac

	case $prev in
	--key-file | --ca)
		while IFS= read -r i; do
			COMPREPLY+=("$i")
		done < <(compgen -f -- "$word")
		compopt -o filenames 2>/dev/null
		return
		;;
	--status)
		words='RESERVED PENDING_APPROVAL CANCELLED REJECTED RELEASED'
		[ "$command" != outbox ] || words='PENDING SENT DEAD'
		;;
	--since | --until) words='90m 24h 7d' ;;
	--sort)
		words='id -id name -name price -price'
		[ "$command" != users ] || words='id -id name -name points -points'
		;;
	--url | --actor | --wait | --idempotency-key | --limit | --user | --id | --name | --total | --price | --points | --max-points) return ;;
	*)
		case $word in
		-*) words="$everywhere $options" ;;
		*)
			case $command/$place in
			/0) words=$commands ;;
			help/0) words=$commands ;;
			history/0) words='rooms reservations points users' ;;
			user-put/0) words='new' ;;
			user-put/2) words='USER ADMIN' ;;
			esac
			;;
		esac
		;;
	esac
	while IFS= read -r i; do
		COMPREPLY+=("$i")
	done < <(compgen -W "$words" -- "$word")
}

complete -F _loyalty loyalty
