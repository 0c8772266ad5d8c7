// SPDX-License-Identifier: MIT
/*
 * Sockets by name, as Go's net.Dial() and net.Listen().
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <go.h>

#include "compiler.h"
#include "errnum.h"
#include "polldesc.h"

/**
 * struct network - a kind of network
 * @name: as callers know it
 * @family: of addresses; AF_UNSPEC for both of IP's
 * @type: of the socket
 */
struct network {
	const char *name;
	int family;
	int type;
};

static const struct network networks[] = {
	{ "tcp", AF_UNSPEC, SOCK_STREAM },
	{ "tcp4", AF_INET, SOCK_STREAM },
	{ "tcp6", AF_INET6, SOCK_STREAM },
	{ "udp", AF_UNSPEC, SOCK_DGRAM },
	{ "udp4", AF_INET, SOCK_DGRAM },
	{ "udp6", AF_INET6, SOCK_DGRAM },
	{ "unix", AF_UNIX, SOCK_STREAM },
	{ "unixgram", AF_UNIX, SOCK_DGRAM },
	{ "unixpacket", AF_UNIX, SOCK_SEQPACKET },
};

static const struct network *network_find(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(networks); i++)
		if (!strcmp(networks[i].name, name))
			return &networks[i];
	return NULL;
}

static bool is_tcp(const struct network *net)
{
	return net->type == SOCK_STREAM && net->family != AF_UNIX;
}

/* A new one that libgo knows, or the error negated. */
static int socket_make(const struct network *net, int family, int protocol)
{
	int fd = socket(family, net->type | SOCK_NONBLOCK | SOCK_CLOEXEC,
			protocol);

	if (fd < 0)
		return -errno_read();
	poll_adopt(fd, is_tcp(net) ? POLL_STREAM : POLL_SOCKET);
	return fd;
}

/* ---- what to do with one address ---------------------------------------------------- */

/* Returns 0, or the error negated. */
typedef int (*address_fn)(const struct network *net, int fd,
			  const struct sockaddr *addr, socklen_t len,
			  int64_t deadline);

static int address_connect(const struct network *net, int fd,
			   const struct sockaddr *addr, socklen_t len,
			   int64_t deadline)
{
	int one = 1, ret;

	if (is_tcp(net))
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (deadline == INT64_MAX)
		return go_connect(fd, addr, len);
	ret = go_set_write_deadline(fd, deadline);
	if (ret)
		return ret;
	ret = go_connect(fd, addr, len);
	return ret ? ret : go_set_write_deadline(fd, INT64_MAX);
}

static int address_listen(const struct network *net, int fd,
			  const struct sockaddr *addr, socklen_t len,
			  int64_t deadline)
{
	int one = 1, zero = 0;

	(void)deadline;
	if (is_tcp(net))
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	/* All of the machine's own addresses are those of IPv4, too. */
	if (addr->sa_family == AF_INET6 && net->family == AF_UNSPEC)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	if (bind(fd, addr, len))
		return -errno_read();
	if (net->type != SOCK_DGRAM && listen(fd, SOMAXCONN))
		return -errno_read();
	return 0;
}

static int address_try(const struct network *net, const struct sockaddr *addr,
		       socklen_t len, int protocol, address_fn fn,
		       int64_t deadline)
{
	int fd = socket_make(net, addr->sa_family, protocol);
	int ret;

	if (fd < 0)
		return fd;
	poll_own(fd, true);
	ret = fn(net, fd, addr, len, deadline);
	if (ret) {
		go_close(fd);
		return ret;
	}
	poll_own(fd, false);
	return fd;
}

/* ---- paths --------------------------------------------------------------------------- */

static int unix_try(const struct network *net, const char *path,
		    address_fn fn, int64_t deadline)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	size_t n = strlen(path);
	socklen_t len = offsetof(struct sockaddr_un, sun_path) + n;

	if (!n || n >= sizeof(addr.sun_path))
		return -EINVAL;
	memcpy(addr.sun_path, path, n);
	if (path[0] == '@')
		addr.sun_path[0] = '\0';
	else
		len++;
	return address_try(net, (struct sockaddr *)&addr, len, 0, fn, deadline);
}

/* ---- hosts and ports ----------------------------------------------------------------- */

/* Split in place. An address of IPv6 has colons of its own, and is in brackets. */
static bool address_split(char *address, char **host, char **port)
{
	char *colon = strrchr(address, ':');
	size_t n;

	if (!colon)
		return false;
	*colon = '\0';
	*port = colon + 1;
	n = strlen(address);
	if (address[0] == '[') {
		if (n < 2 || address[n - 1] != ']')
			return false;
		address[n - 1] = '\0';
		address++;
	} else if (strchr(address, ':')) {
		return false;
	}
	*host = *address ? address : NULL;
	return **port;
}

static int lookup_error(int error)
{
	switch (error) {
	case EAI_SYSTEM:
		return -errno_read();
	case EAI_MEMORY:
		return -ENOMEM;
	case EAI_AGAIN:
	case EAI_FAIL:
		return -EAGAIN;
	case EAI_SERVICE:
	case EAI_BADFLAGS:
	case EAI_SOCKTYPE:
		return -EINVAL;
	default:
		return -ENXIO;
	}
}

/* The first that it works with; IPv6 first where that is for IPv4 as well. */
static int addresses_try(const struct network *net, struct addrinfo *list,
			 address_fn fn, int64_t deadline)
{
	struct addrinfo *ai;
	int ret = -ENXIO;

	for (ai = list; ai; ai = ai->ai_next) {
		ret = address_try(net, ai->ai_addr, ai->ai_addrlen,
				  ai->ai_protocol, fn, deadline);
		if (ret >= 0 || ret == -ETIMEDOUT)
			break;
	}
	return ret;
}

static int inet_try(const struct network *net, const char *address, int flags,
		    address_fn fn, int64_t deadline)
{
	struct addrinfo hints = {
		.ai_family = net->family, .ai_socktype = net->type,
		.ai_flags = flags,
	};
	char copy[NI_MAXHOST + NI_MAXSERV], *host, *port;
	struct addrinfo *list;
	int ret;

	if (snprintf(copy, sizeof(copy), "%s", address) >= (int)sizeof(copy) ||
	    !address_split(copy, &host, &port))
		return -EINVAL;
	/* All of the machine's own, IPv4 and IPv6, by one socket. */
	if (!host && flags & AI_PASSIVE && net->family == AF_UNSPEC)
		host = "::";
	ret = getaddrinfo(host, port, &hints, &list);
	if (ret)
		return lookup_error(ret);
	ret = addresses_try(net, list, fn, deadline);
	freeaddrinfo(list);
	return ret;
}

/* A machine may have no IPv6. */
static int listen_any4(const struct network *net, const char *address)
{
	struct network v4 = { .family = AF_INET, .type = net->type };

	return inet_try(&v4, address, AI_PASSIVE, address_listen, INT64_MAX);
}

int go_dial(const char *network, const char *address, int64_t deadline)
{
	const struct network *net = network_find(network);
	int saved = errno_read(), ret;

	if (!net)
		return -EINVAL;
	if (net->family == AF_UNIX)
		ret = unix_try(net, address, address_connect, deadline);
	else
		ret = inet_try(net, address, 0, address_connect, deadline);
	errno_write(saved);
	return ret;
}

int go_listen(const char *network, const char *address)
{
	const struct network *net = network_find(network);
	int saved = errno_read(), ret;

	if (!net)
		return -EINVAL;
	if (net->family == AF_UNIX) {
		ret = unix_try(net, address, address_listen, INT64_MAX);
	} else {
		ret = inet_try(net, address, AI_PASSIVE, address_listen,
			       INT64_MAX);
		if (ret < 0 && ret != -EADDRINUSE && address[0] == ':' &&
		    net->family == AF_UNSPEC)
			ret = listen_any4(net, address);
	}
	errno_write(saved);
	return ret;
}

int go_pipe(int fds[2])
{
	int saved = errno_read(), ret;

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK)) {
		ret = -errno_read();
		errno_write(saved);
		return ret;
	}
	poll_adopt(fds[0], POLL_OTHER);
	poll_adopt(fds[1], POLL_OTHER);
	return 0;
}
