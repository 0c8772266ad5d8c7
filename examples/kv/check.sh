# shellcheck shell=bash disable=SC2154,SC2016 # set by server(), and what only looks like a variable
# SPDX-License-Identifier: MIT
#
# The key-value server, with the clients of Redis. Sourced by examples/check, which has
# set:
: "${bin:?}" "${work:?}" "${out:?}"

# says NAME REPLY COMMAND...: redis-cli prints it
says() {
	local name=$1 want=$2 got
	shift 2
	got=$(timeout 20 redis-cli -p "$port" "$@" 2>&1)
	[ "$got" = "$want" ]
	result $? "kv: $name" "'$got', not '$want'"
}

kv_commands() {
	says 'it is there' PONG ping
	says 'what it gets it gives' 'two words' echo 'two words'
	says 'a key is set' OK set a 1
	says 'a key is got' 1 get a
	says 'a key that is not there' '' get nothing
	says 'case does not matter' 1 GeT a
	says 'several are set' OK mset b 2 c 3
	says 'several are got' $'1\n2\n\n3' mget a b nothing c
	says 'one, if new: it is not' '' set a 9 nx
	says 'one, if there: it is not' '' set d 9 xx
	says 'one, if there' OK set a 5 xx
	says 'they exist' 2 exists a b nothing
	says 'a number is added to' 6 incr a
	says 'a number is subtracted from' -4 decrby a 10
	says 'one that is not there is 0' 7 incrby d 7
	says 'no number' 'ERR value is not an integer or out of range' \
		incrby a x
	says 'a number that is too large' OK set big 9223372036854775807
	says '... has no next' 'ERR value is not an integer or out of range' incr big
	says 'the length' 19 strlen big
	says 'they are removed' 2 del c d nothing
	says 'they are counted' 3 dbsize
	says 'no command' "ERR unknown command 'what'" what
	says 'an argument that is missing' \
		"ERR wrong number of arguments for 'GET'" get
	says 'an option that is none' 'ERR syntax error' set a 1 zz
}

kv_expiry() {
	says 'it will expire' OK set e 1 ex 100
	says 'in how long' 100 ttl e
	says 'it will not' 1 persist e
	says '... any more' -1 ttl e
	says 'there is no time of one that is not there' -2 ttl nothing
	says 'it expires at once' 1 expire e -1
	says '... and is not there' '' get e
	says 'one that expires soon' OK set soon 1 px 50
	awaits 'a key that expires is removed, by nobody' kv_has 3
	result $? 'kv: a key that expires is removed'
}

kv_has() {
	[ "$(redis-cli -p "$port" dbsize)" = "$1" ]
}

kv_bytes() {
	head -c 5000000 /dev/urandom >"$work/value"
	redis-cli -p "$port" -x set bytes <"$work/value" >"$out" 2>&1
	redis-cli -p "$port" --raw get bytes 2>>"$out" | head -c -1 |
		cmp - "$work/value" >>"$out"
	result $? 'kv: five million bytes, any'
	kv_unread
	# shellcheck disable=SC2046 # many
	says 'more than fits into a reply' 'ERR a reply that is too long' \
		mget $(printf 'bytes %.0s' {1..20})
	says 'they are replaced' OK set bytes ''
}

kv_unread() {
	exec 3<>"/dev/tcp/127.0.0.1/$port"
	printf 'GET bytes\r\nQUIT\r\n' >&3
	read -r -t 20 <&3
	printf 'PING\r\n' >&3
	timeout 20 cat <&3 2>"$out" >"$work/rest" &&
		head -c 5000000 "$work/rest" | cmp - "$work/value" >"$out"
	result $? 'kv: more after the last request: the replies come whole'
	exec 3<&-
}

# Two values for all of a hundred keys take turns: the first and the last have the same.
kv_at_once() {
	local i value writing
	for value in a b; do
		printf '*201\r\n$4\r\nMSET\r\n'
		for i in {100..199}; do
			printf '$3\r\n%s\r\n$1\r\n%s\r\n' "$i" $value
		done
	done >"$work/writes"
	while cat "$work/writes"; do :; done 2>/dev/null |
		nc 127.0.0.1 "$port" >"$work/written" &
	writing=$!
	awaits 'they are set' test -s "$work/written"
	{ yes 'MGET 100 199' | head -n 20000; echo QUIT; } |
		timeout 20 nc 127.0.0.1 "$port" | grep '^[ab].$' |
		paste -d' ' - - >"$work/pairs"
	kill "$writing"
	wait "$writing" 2>/dev/null
	[ "$(grep -c '^\(.\). \1.$' "$work/pairs")" = 20000 ]
	result $? 'kv: several are set and got at once' "$(sort "$work/pairs" | uniq -c)"
	# shellcheck disable=SC2046 # many
	says '... and are removed' 100 del $(seq 100 199)
}

# sent NAME PATTERN COUNT BYTES: so many lines of what is sent back match, to the end
sent() {
	local name=$1 pattern=$2 count=$3
	exec 3<>"/dev/tcp/127.0.0.1/$port"
	printf '%b' "$4" >&3
	timeout 20 cat <&3 >"$out" 2>&1 && [ "$(grep -a -c "$pattern" "$out")" = "$count" ]
	result $? "kv: $name"
	exec 3<&-
}

kv_protocol() {
	sent 'a person types' '^+PONG' 2 'PING\r\n\r\nping\nQUIT\n'
	sent 'no number' '^-ERR Protocol' 1 '*x\r\n'
	sent 'no string' '^-ERR Protocol' 1 '*1\r\n:1\r\n'
	sent 'a string that is longer than told' '^-ERR Protocol' 1 \
		'*1\r\n$4\r\nPINGx\r\n'
	sent 'a string that is too long' 'too long' 1 '*1\r\n$999999999\r\n'
	sent 'too many strings' 'too long' 1 '*99999\r\n'
	sent 'a line without an end' '^-ERR Protocol' 1 "$(printf '%02000d' 0)"
	sent 'a line in what is quoted' "^-ERR.*'a  b'" 1 \
		'*1\r\n$4\r\na\r\nb\r\nQUIT\r\n'
}

kv_load() {
	redis-benchmark -p "$port" --csv -n 20000 -t ping,set,get,incr,mset \
		>"$out" 2>&1 && [ "$(grep -c '^"' "$out")" = 7 ] &&
		! grep -qi 'error\|warning' "$out"
	result $? 'kv: redis-benchmark, 50 connections'
	redis-benchmark -p "$port" --csv -n 200000 -P 16 -r 1000 -t set,get \
		>"$out" 2>&1 && ! grep -qi 'error\|warning' "$out"
	result $? 'kv: redis-benchmark, 16 requests at once'
	says 'nothing is lost of what was added' OK set counter 0
	redis-benchmark -p "$port" -q -c 20 -n 20000 incr counter >"$out" 2>&1
	says '... at the same time' 20000 get counter
	says 'all are removed' OK flushall
}

# of the processor's time, which it has had
kv_ticks() {
	awk '{ print $14 + $15 }' "/proc/$kv/stat"
}

kv_many_expire() {
	local ticks keys
	redis-benchmark -p "$port" -q -P 64 -n 200000 -r 1000000 \
		set later:__rand_int__ v ex 1000 >"$out" 2>&1
	keys=$(redis-cli -p "$port" dbsize)
	ticks=$(kv_ticks)
	sleep 2
	ticks=$(($(kv_ticks) - ticks))
	[ "$keys" -gt 100000 ] && [ $ticks -lt 10 ]
	result $? 'kv: many keys that expire later are no work' \
		"$keys keys, $ticks ticks in 2 s"
	redis-benchmark -p "$port" -q -P 64 -n 10000 -r 1000000 \
		set soon:__rand_int__ v px 50 >"$out" 2>&1
	awaits 'those that expire before them are removed' kv_has "$keys"
	result $? 'kv: ... and those before them are removed'
	says 'all are removed, also those' OK flushall
}

server kv
kv=$pid
kv_commands
kv_expiry
kv_at_once
kv_bytes
before=$(descriptors "$kv")
kv_protocol
kv_load
kv_many_expire
awaits 'kv keeps no descriptors' has_descriptors "$kv" "$before"
result $? 'kv: keeps no descriptor of a connection that has ended'
exec 3<>"/dev/tcp/127.0.0.1/$port"
server_stops kv "$kv" '^kv: 0 keys'
exec 3<&-
