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

# A client whose target is reset is too: not told as if that were the end.
proxy_reset() {
	local target code
	python3 -c 'import socket, struct
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
connection, _ = listener.accept()
connection.recv(1000)
connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nsome")
connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))' \
		>"$work/target" &
	target=$!
	awaits 'the target listens' test -s "$work/target"
	server proxy "127.0.0.1:$(cat "$work/target")"
	curl -s -m 20 "http://127.0.0.1:$port/" >/dev/null 2>"$out"
	code=$?
	# 56: reset; it would be 0 at the end
	[ $code = 56 ]
	result $? 'proxy: that the target is reset reaches the client' \
		"curl ends with $code"
	server_stops proxy "$pid" '^proxy: [1-9][0-9]* bytes'
	kill "$target" 2>/dev/null
}

# 02: a timer, though nothing is under way
proxy_looks() {
	[ "$({ connections 2 "$port"; connections 3 "$target"; } | grep -c ' 02:')" = 2 ]
}

proxy_refused() {
	exec 3<>"/dev/tcp/127.0.0.1/$port"
	LC_ALL=C timeout 20 cat <&3 >"$out" 2>&1
	grep -q 'Connection reset' "$out" &&
		grep -q 'proxy: 127.0.0.1:.*: Connection refused' "$work/proxy"
	result $? 'proxy: a target that is not there'
	exec 3<&-
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
server httpd "$work/www"
httpd=$pid
server proxy "127.0.0.1:$port"
proxy=$pid
proxy_http
{ kill -KILL "$httpd"; wait "$httpd"; } 2>/dev/null
proxy_refused
server_stops proxy "$proxy" '^proxy: [1-9][0-9]* bytes'
proxy_reset

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
socat -d -d -t 60 TCP-LISTEN:0,bind=127.0.0.1,fork EXEC:'sleep 60' 2>"$work/sleeper" &
socat=$!
awaits 'socat listens' grep -q 'listening on' "$work/sleeper"
target=$(sed -n 's/.*listening on .*://p' "$work/sleeper")
server proxy "127.0.0.1:$target"
timeout 50 nc -N 127.0.0.1 "$port" </dev/null >"$work/silent" &
silent=$!
awaits 'the target has a connection' grep -q 'starting data transfer' "$work/sleeper"
exec 3<>"/dev/tcp/127.0.0.1/$port"
awaits 'the kernel looks whether the peers are there' proxy_looks
result $? 'proxy: a peer that vanishes will be found out'
exec 3<&-
server_stops proxy "$pid" '^proxy: 0 bytes'
kill "$silent" 2>/dev/null
pkill -KILL -P "$socat" 2>/dev/null
kill "$socat"
