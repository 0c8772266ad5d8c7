# shellcheck shell=bash disable=SC2154 # set by server()
# SPDX-License-Identifier: MIT
#
# The proxy, between the file server or socat and their clients. Sourced by
# examples/check, which has set:
: "${bin:?}" "${work:?}" "${out:?}"

proxy_http() {
	local url=http://127.0.0.1:$port
	curl -s -f -m 20 "$url/large" 2>"$out" | cmp - "$work/www/large" >>"$out"
	result $? 'proxy: a large file'
	ab -q -k -c 50 -n 20000 "$url/small" >"$out" 2>&1 &&
		grep -q '^Failed requests: *0$' "$out"
	result $? 'proxy: 20,000 requests of ab on 50 connections'
	ab -q -c 20 -n 2000 "$url/small" >"$out" 2>&1 &&
		grep -q '^Failed requests: *0$' "$out"
	result $? 'proxy: 2,000 connections of ab'
	wrk -t2 -c100 -d3 "$url/large" >"$out" 2>&1 &&
		! grep -E 'Socket errors|Non-2xx' "$out"
	result $? 'proxy: a large file on 100 connections of wrk'
}

# A client gets less than it asked for, and is told so: not as if that were the end.
proxy_reset() {
	local code client
	curl -s -m 20 --limit-rate 4M "$1/huge" >"$work/cut" 2>"$out" &
	client=$!
	awaits 'the client has begun' test -s "$work/cut"
	kill -KILL "$2"
	wait "$2" 2>/dev/null
	wait "$client"
	code=$?
	echo "curl ends with $code" >>"$out"
	# 18: less than was told; 56: reset
	[ $code = 18 ] || [ $code = 56 ]
	result $? 'proxy: that the target is gone reaches the client'
}

# The target answers when it has seen the end of what it is sent.
proxy_half_close() {
	local want clients='' ok=0 i
	want=$(sha256sum <"$work/www/large")
	for i in 1 2 3 4 5 6 7 8; do
		timeout 30 nc -N 127.0.0.1 "$port" <"$work/www/large" \
			>"$work/digest$i" &
		clients="$clients $!"
	done
	# shellcheck disable=SC2086 # several
	wait $clients
	for i in 1 2 3 4 5 6 7 8; do
		[ "$(cat "$work/digest$i")" = "$want" ] || ok=1
	done
	result $ok 'proxy: who has sent all still receives' \
		"$(cat "$work"/digest?), not $want"
}

head -c 3000000 /dev/urandom >"$work/www/large"
echo small >"$work/www/small"
# more than all that is between the two can hold
truncate -s 1G "$work/www/huge"
server httpd "$work/www"
httpd=$pid
server proxy "127.0.0.1:$port"
proxy=$pid
proxy_http
proxy_reset "http://127.0.0.1:$port" "$httpd"
! curl -s -m 20 "http://127.0.0.1:$port/" >"$out" 2>&1 && [ ! -s "$out" ] &&
	grep -q 'proxy: 127.0.0.1:.*: Connection refused' "$work/proxy"
result $? 'proxy: a target that is not there'
server_stops proxy "$proxy" '^proxy: [1-9][0-9]* bytes'

socat -d -d TCP-LISTEN:0,bind=127.0.0.1,fork EXEC:sha256sum 2>"$work/socat" &
socat=$!
awaits 'socat listens' grep -q 'listening on' "$work/socat"
server proxy "127.0.0.1:$(sed -n 's/.*listening on .*://p' "$work/socat")"
sha256sum </dev/null | cmp - <(timeout 30 nc -N 127.0.0.1 "$port" </dev/null) >"$out"
result $? 'proxy: the end, and nothing before'
# those that the library needs are there now
before=$(descriptors "$pid")
proxy_half_close
awaits 'the proxy keeps no descriptors' has_descriptors "$pid" "$before"
result $? 'proxy: keeps no descriptor of a connection that has ended'
server_stops proxy "$pid" '^proxy: 24000612 bytes'
kill "$socat"

# A target that says nothing, and does not end when its client has.
socat -d -d -t 60 TCP-LISTEN:0,bind=127.0.0.1,fork EXEC:'sleep 60' 2>"$work/socat" &
socat=$!
awaits 'socat listens' grep -q 'listening on' "$work/socat"
server proxy "127.0.0.1:$(sed -n 's/.*listening on .*://p' "$work/socat")"
timeout 50 nc -N 127.0.0.1 "$port" </dev/null >"$work/silent" &
silent=$!
awaits 'the target has a connection' grep -q 'starting data transfer' "$work/socat"
server_stops proxy "$pid" '^proxy: 0 bytes'
kill "$silent" 2>/dev/null
pkill -KILL -P "$socat" 2>/dev/null
kill "$socat"
