# shellcheck shell=bash disable=SC2154 # set by server()
# SPDX-License-Identifier: MIT
#
# The chat server, with nc. Sourced by examples/check, which has set:
: "${bin:?}" "${work:?}" "${out:?}"

# comes NAME: a client whom says NAME LINE has type it; what it sees is in chat.NAME
comes() {
	local fd
	mkfifo "$work/types.$1"
	nc 127.0.0.1 "$port" <"$work/types.$1" >"$work/chat.$1" &
	nc[$1]=$!
	exec {fd}>"$work/types.$1"
	types[$1]=$fd
	types "$1" "$1"
	awaits "$1 is in the lobby" grep -q "in lobby:.* $1" "$work/chat.$1"
}

types() {
	echo "$2" >&"${types[$1]}"
}

goes() {
	local fd
	fd=${types[$1]}
	exec {fd}>&-
	kill "${nc[$1]}" 2>/dev/null
	rm "$work/types.$1"
	wait "${nc[$1]}" 2>/dev/null
}

# sees NAME LINE
sees() {
	awaits "$1 sees '$2'" grep -qxF -- "$2" "$work/chat.$1"
	result $? "chat: $3"
}

chat_rooms() {
	comes anna
	comes bob
	sees anna '* bob has come to lobby' 'who is there sees who comes'
	types bob 'hello, all'
	sees anna 'bob: hello, all' 'what one says the other reads'
	comes carl
	types carl $'\033[2Jno \xc2\x9bescape\001 \x9b\xc3\xa9\xe2\x82\xac'
	sees bob $'carl: [2Jno escape \xc3\xa9\xe2\x82\xac' 'nobody controls the terminals of others'
	types bob '/join other'
	sees anna '* bob has left lobby' 'who is there sees who leaves'
	sees bob '* in other: bob' 'a room that is new'
	types anna 'not for bob'
	sees carl 'anna: not for bob' 'those who stay read on'
	types carl '/join other'
	sees bob '* carl has come to other' 'a room that is there'
	! grep -q 'not for bob' "$work/chat.bob"
	result $? 'chat: who has left does not'
	types bob '/join no room'
	sees bob '* no name of a room; letters, digits, - and _ make one' \
		'no name of a room'
	types bob /help
	sees bob '* /join ROOM, /who, /quit; anything else is said to all' 'what one can do'
	types carl /quit
	sees bob '* carl has left other' 'who quits has left'
	goes carl
	goes bob
	goes anna
}

# told NAME LINE BYTES: that line comes back
told() {
	printf '%b' "$3" | timeout 20 nc -N 127.0.0.1 "$port" >"$out"
	grep -qxF -- "$2" "$out"
	result $? "chat: $1"
}

chat_lines() {
	told 'a name that is taken' '* somebody has that name. Yours?' 'anna\n'
	told 'no name' '* letters, digits, - and _ make a name. Yours?' 'a b\n'
	told 'a name that is too long' \
		'* letters, digits, - and _ make a name. Yours?' \
		"$(printf %032d 0)\\n"
	told 'lines as Windows ends them' '* in lobby: anna dora' 'dora\r\n'
	told 'a line that is too long' '* a line that is too long' \
		"emil\\n$(printf %02000d 0)"
}

# Each says 200 lines; all others read each, and those of one in their order.
chat_crowd() {
	local i j ok=0
	for i in 1 2 3 4 5 6 7 8 9 10; do
		comes "crowd$i"
	done
	for i in 1 2 3 4 5 6 7 8 9 10; do
		seq 200 >&"${types[crowd$i]}" &
	done
	for i in 1 2 3 4 5 6 7 8 9 10; do
		awaits 'they read all' crowd_read "$i" || ok=1
	done
	for i in 1 2 3 4 5 6 7 8 9 10; do
		for j in 1 2 3 4 5 6 7 8 9 10; do
			[ $i = $j ] || sed -n "s/^crowd$j: //p" \
				"$work/chat.crowd$i" | cmp -s - <(seq 200) || ok=1
		done
	done
	result $ok 'chat: ten who say 200 lines at once'
	for i in 1 2 3 4 5 6 7 8 9 10; do
		goes "crowd$i"
	done
}

crowd_read() {
	[ "$(grep -c ^crowd "$work/chat.crowd$1")" = 1800 ]
}

# A client that does not read leaves, after a while; the others go on.
chat_slow() {
	local writer
	exec 3<>"/dev/tcp/127.0.0.1/$port"
	echo sleeper >&3
	sees anna '* sleeper has come to lobby' 'one comes who does not read'
	comes fast
	yes "$(printf %0900d 0)" | head -n 20000 >&"${types[fast]}" &
	writer=$!
	awaits 'who does not read has to leave' \
		grep -qxF '* sleeper has left lobby' "$work/chat.anna"
	result $? 'chat: who does not read has to leave'
	wait "$writer"
	types fast 'that is all'
	sees anna 'fast: that is all' 'those who do stay'
	[ "$(grep -c '^fast: 0' "$work/chat.anna")" = 20000 ]
	result $? 'chat: and read all'
	exec 3<&-
	goes fast
}

declare -A nc types
server chat
chat=$pid
chat_rooms
before=$(descriptors "$chat")
comes anna
chat_lines
chat_crowd
chat_slow
goes anna
awaits 'the chat server keeps no descriptors' has_descriptors "$chat" "$before"
result $? 'chat: keeps no descriptor of a connection that has ended'
comes late
server_stops chat "$chat" 'all have left'
goes late
