# shellcheck shell=bash disable=SC2154 # set by server()
# SPDX-License-Identifier: MIT
#
# The file server, with the clients that people use. Sourced by examples/check, which
# has set:
: "${bin:?}" "${work:?}" "${out:?}"

httpd_files() {
	mkdir -p "$work/www/folder"
	echo hello >"$work/www/hello.txt"
	echo index >"$work/www/folder/index.html"
	: >"$work/www/empty"
	head -c 3000000 /dev/urandom >"$work/www/large file"
	ln -s /etc/passwd "$work/www/outside"
	mkfifo "$work/www/fifo"
	mkdir "$work/www/links" "$work/www/"$'\r\nA: b'
	ln -s ../hello.txt "$work/www/links/index.html"
	ln -s links/../hello.txt "$work/www/dots"
}

# status NAME STATUS [OPTION...] PATH: curl is told so
status() {
	local name=$1 want=$2 got
	shift 2
	got=$(curl -s -m 20 -o /dev/null -w '%{http_code}' --path-as-is \
		"${@:1:$#-1}" "$url/${!#}")
	[ "$got" = "$want" ]
	result $? "httpd: $name" "$got, not $want"
}

# same NAME FILE [OPTION...] PATH: curl gets the contents of FILE
same() {
	local name=$1 file=$2
	shift 2
	curl -s -f -m 20 "${@:1:$#-1}" "$url/${!#}" >"$work/got" 2>"$out" &&
		cmp "$work/got" "$file" >>"$out"
	result $? "httpd: $name"
}

# raw NAME PATTERN COUNT REQUEST: so many lines of what is sent back match, to the end
raw() {
	local name=$1 pattern=$2 count=$3
	exec 3<>"/dev/tcp/127.0.0.1/$port"
	printf '%b' "$4" >&3
	timeout 20 cat <&3 >"$out" 2>&1 && [ "$(grep -a -c "$pattern" "$out")" = "$count" ]
	result $? "httpd: $name"
	exec 3<&-
}

# begins FD [FIELDS]: a request for the large file, whose reply has begun
begins() {
	printf 'GET /large%%20file HTTP/1.1\r\nHost: x\r\n%b\r\n' "${2:-}" >&"$1"
	read -r -t 20 <&"$1"
}

# So much that some waits in the server's socket, and it has nothing more to do with it.
some='Range: bytes=0-149999\r\n'

# ends_whole FD: what it then gets is the rest of that, and the end
ends_whole() {
	head -c 150000 "$work/www/large file" >"$work/want"
	timeout 50 cat <&"$1" >"$work/rest" &&
		tail -c 150000 "$work/rest" | cmp - "$work/want"
}

# It is read later than the second for which the server waits in any case.
httpd_unread() {
	exec 3<>"/dev/tcp/127.0.0.1/$port"
	begins 3 "${some}Connection: close\r\n"
	printf '\r\n' >&3
	sleep 1.5
	ends_whole 3 >"$out" 2>&1
	result $? 'httpd: more after the last request: its reply comes whole'
	exec 3<&-
}

# Bytes that wait in the kernel for the client to take them, when they are no more.
settled() {
	local hex before n=0 i
	for ((i = 0; i < 50; i++)); do
		before=$n
		hex=$(connections 2 "$port" | awk '{ sub(/:.*/, "", $5); print $5 }')
		n=$((16#${hex:-0}))
		[ "$n" = 0 ] || [ "$n" != "$before" ] || break
		sleep 0.2
	done
	echo "$n"
}

# What waits in the kernel, and not in the server, keeps it from seeing that a slow client
# takes more. (That such a one gets all would take longer than its patience of 30 s.)
httpd_unsent() {
	local bytes
	exec 3<>"/dev/tcp/127.0.0.1/$port"
	begins 3
	bytes=$(settled)
	[ "$bytes" -gt 0 ] && [ "$bytes" -lt 500000 ]
	result $? 'httpd: little waits for who does not read' "$bytes bytes"
	exec 3<&-
}

# Of a link with ".." in it the kernel is not sure meanwhile.
httpd_renames() {
	local renaming
	: >"$work/one"
	python3 -c 'import os, sys
one, other = sys.argv[1] + "/one", sys.argv[1] + "/other"
while True:
    os.rename(one, other)
    os.rename(other, one)' "$work" &
	renaming=$!
	ab -q -k -c 4 -n 20000 "$url/dots" >"$out" 2>&1
	kill "$renaming" && grep -q '^Failed requests: *0$' "$out" &&
		! grep -q '^Non-2xx' "$out"
	result $? 'httpd: a file is found while others are renamed'
	wait "$renaming" 2>/dev/null
}

httpd_replies() {
	local large="$work/www/large file" date old
	same 'a file' "$work/www/hello.txt" hello.txt
	same 'an empty file' "$work/www/empty" empty
	same 'a large file, and a path that is encoded' "$large" large%20file
	same 'the index of a folder' "$work/www/folder/index.html" -L folder
	same 'an index that is a link to elsewhere within' "$work/www/hello.txt" links/
	tail -c +101 "$large" | head -c 100000 >"$work/part"
	same 'a part' "$work/part" -r 100-100099 large%20file
	tail -c 77 "$large" >"$work/part"
	same 'the last bytes' "$work/part" -r -77 large%20file
	status 'a part has its status' 206 -r 0-9 hello.txt
	status 'a part that is not there' 416 -r 3000000- large%20file
	date=$(date -u -R -r "$work/www/hello.txt" | sed 's/+0000/GMT/')
	status 'what has not changed' 304 -H "If-Modified-Since: $date" hello.txt
	old=$(LC_ALL=C date -u -r "$work/www/hello.txt" '+%A, %d-%b-%y %T GMT')
	status 'what has not changed, in the form of RFC 850' 304 \
		-H "If-Modified-Since: $old" hello.txt
	old=$(LC_ALL=C date -u -r "$work/www/hello.txt" '+%a %b %e %T %Y')
	status 'what has not changed, in the form of asctime' 304 \
		-H "If-Modified-Since: $old" hello.txt
	status 'what has not changed, but is not what the client has' 200 \
		-H "If-Modified-Since: $date" -H 'If-None-Match: "tag"' hello.txt
	status 'more of what has not changed' 206 -r 2- -H "If-Range: $date" hello.txt
	status 'more of what has changed: all of it' 200 -r 2- \
		-H 'If-Range: Sat, 01 Jan 2000 00:00:00 GMT' hello.txt
	status 'more of an unknown version: all of it' 200 -r 2- \
		-H 'If-Range: "tag"' hello.txt
	status 'what has changed' 200 \
		-H 'If-Modified-Since: Sat, 01 Jan 2000 00:00:00 GMT' hello.txt
	status 'a head alone' 200 -I hello.txt
	status 'a head has no parts' 200 -I -r 2- hello.txt
	status 'a folder without its slash' 301 folder
	status 'a file that is not there' 404 nothing
	status 'a folder without an index' 404 ''
	status 'a link that leads outside' 403 outside
	status 'a path that leads outside' 403 ../../etc/passwd
	status 'a path that leads outside, encoded' 403 %2e%2e/%2e%2e/etc/passwd
	status 'no file' 403 fifo
	status 'another method, with a body' 405 -d words hello.txt
	status 'a body that is too long' 413 -H Expect: \
		--data-binary "@$large" hello.txt
}

httpd_raw() {
	local host='Host: x\r\n' close='Connection: close\r\n' get
	get='GET /hello.txt HTTP/1.1\r\n'
	raw 'requests that come at once' '^hello' 3 \
		"$get$host\r\n$get$host\r\n$get$host$close\r\n"
	raw 'a request after a body' '^hello' 1 \
		"POST / HTTP/1.1\r\n${host}Content-Length: 3\r\n\r\nabc$get$host$close\r\n"
	raw 'HTTP/1.0 ends the connection' '^hello' 1 \
		'GET /hello.txt HTTP/1.0\r\n\r\n'
	raw 'HTTP/1.0 that does not' 'Connection: keep-alive' 1 \
		"GET /hello.txt HTTP/1.0\r\nConnection: keep-alive\r\n\r\n$get$host$close\r\n"
	raw 'to end goes before to go on' '^hello' 1 \
		"$get$host${close}Connection: keep-alive\r\n\r\n$get$host\r\n"
	raw 'no host' '^HTTP/1.1 400' 1 "$get\r\n"
	raw 'no host, and a head alone' 'Bad Request' 1 'HEAD / HTTP/1.1\r\n\r\n'
	raw 'a body that is too long, and a head alone' 'Content Too Large' 1 \
		"HEAD / HTTP/1.1\r\n${host}Content-Length: 2000000\r\n\r\n"
	raw 'two hosts' '^HTTP/1.1 400' 1 "$get$host$host\r\n"
	raw 'two lengths' '^HTTP/1.1 400' 1 \
		"$get${host}Content-Length: 1\r\nContent-Length: 2\r\n\r\n"
	raw 'a blank before a colon' '^HTTP/1.1 400' 1 "$get${host}A : b\r\n\r\n"
	raw 'a zero in a name' '^HTTP/1.1 400' 1 \
		"$get${host}Transfer-Encoding\\0000: chunked\r\n\r\n"
	raw 'a zero in a method' '^HTTP/1.1 400' 1 \
		"G\\0000ET /hello.txt HTTP/1.1\r\n$host\r\n"
	raw 'a return in a line' '^HTTP/1.1 400' 1 \
		"$get${host}A: b\rTransfer-Encoding: chunked\r\n\r\n"
	raw 'a folded line' '^HTTP/1.1 400' 1 "$get${host}A: b\r\n c\r\n\r\n"
	raw 'a zero in a path' '^HTTP/1.1 400' 1 "GET /%00 HTTP/1.1\r\n$host\r\n"
	raw 'no request at all' '^HTTP/1.1 400' 1 'what\r\n\r\n'
	raw 'a body in chunks' '^HTTP/1.1 501' 1 \
		"$get${host}Transfer-Encoding: chunked\r\n\r\n"
	raw 'a later version, answered as this one' '^hello' 1 \
		"GET /hello.txt HTTP/1.2\r\n$host$close\r\n"
	raw 'no version' '^HTTP/1.1 400' 1 "GET / HTTP/1.x\r\n$host\r\n"
	raw 'another version' '^HTTP/1.1 505' 1 'GET / HTTP/2.0\r\n\r\n'
	raw 'a path that is too long' '^HTTP/1.1 414' 1 \
		"GET /$(printf '%01100d' 0) HTTP/1.1\r\n$host\r\n"
	raw 'a head that is too long' '^HTTP/1.1 431' 1 \
		"$get$host$(printf 'A: %09000d' 0)\r\n\r\n"
	raw 'a folder whose name is no header' '^Location: /%0D%0AA%3A%20b/.$' 1 \
		"GET /%0D%0AA:%20b HTTP/1.1\r\n$host$close\r\n"
}

# A client that reads nothing has to leave; one that had to say nothing has not.
httpd_wait_begin() {
	local get='GET /hello.txt HTTP/1.1\r\nHost: x\r\n'
	local since='If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT\r\n'
	{
		printf '%b' "$get\r\n"
		sleep 32
		printf '%b' "$get${since}Connection: close\r\n\r\n"
	} | timeout 60 nc -N 127.0.0.1 "$port" >"$work/patient" &
	patient=$!
	exec 4<>"/dev/tcp/127.0.0.1/$port"
	yes "$(printf '%b' "$get$since\r")" 2>/dev/null | head -n 500000 >&4 2>/dev/null &
	deaf=$!
}

httpd_wait_end() {
	wait "$patient"
	grep -q '^HTTP/1.1 304' "$work/patient"
	result $? 'httpd: who says nothing for 32 s is answered then'
	awaits 'httpd keeps no descriptors' has_descriptors "$httpd" "$before"
	result $? 'httpd: keeps no descriptor of one that has ended or does not read'
	kill "$deaf" 2>/dev/null
	exec 4<&-
}

httpd_load() {
	ab -q -k -c 50 -n 20000 "$url/hello.txt" >"$out" 2>&1 &&
		grep -q '^Failed requests: *0$' "$out" &&
		grep -q '^Keep-Alive requests: *20000$' "$out"
	result $? 'httpd: 20,000 requests of ab on 50 connections'
	ab -q -c 20 -n 2000 "$url/hello.txt" >"$out" 2>&1 &&
		grep -q '^Failed requests: *0$' "$out"
	result $? 'httpd: 2,000 connections of ab'
	wrk -t2 -c100 -d3 "$url/large%20file" >"$out" 2>&1 &&
		! grep -E 'Socket errors|Non-2xx' "$out"
	result $? 'httpd: a large file on 100 connections of wrk'
}

# One client is slow, one asks for more, one is idle. The first two get the whole of what
# is being sent, the third does not matter.
httpd_stop() {
	local slow more
	curl -s -f -m 50 --limit-rate 1500000 "$url/large%20file" >"$work/slow" &
	slow=$!
	exec 3<>"/dev/tcp/127.0.0.1/$port"
	awaits 'the slow client has begun' test -s "$work/slow"
	exec 5<>"/dev/tcp/127.0.0.1/$port"
	begins 5 "$some"
	{
		awaits 'httpd stops' grep -q 'it stops' "$work/httpd"
		printf 'GET /hello.txt HTTP/1.1\r\nHost: x\r\n\r\n' >&5
		sleep 0.5
		ends_whole 5
	} >"$work/more" 2>&1 &
	more=$!
	server_stops httpd "$httpd" 'requests served'
	{ wait "$slow" && cmp "$work/slow" "$work/www/large file"; } >"$out" 2>&1
	result $? 'httpd: what is being sent at the end is sent whole'
	wait "$more"
	result $? 'httpd: ... also to who asks for more' "$(cat "$work/more")"
	exec 3<&- 5<&-
}

httpd_files
server httpd "$work/www"
httpd=$pid
url=http://127.0.0.1:$port
httpd_replies
# those that the library needs are there now
before=$(descriptors "$httpd")
httpd_unread
httpd_unsent
httpd_renames
httpd_wait_begin
httpd_raw
httpd_load
httpd_wait_end
httpd_stop
