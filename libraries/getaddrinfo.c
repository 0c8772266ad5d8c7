// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "job.h"

/* A name of its own in each round, so that no answer can be one of before. */
static void work(const struct job *job, int worker)
{
	struct addrinfo hints = {
		.ai_family = AF_INET, .ai_socktype = SOCK_STREAM,
	};
	struct addrinfo *list;
	char name[256], address[INET_ADDRSTRLEN];
	int i, ret;

	for (i = 0; i < job->rounds; i++) {
		snprintf(name, sizeof(name), "w%dr%d.%s", worker, i, job_target);
		ret = getaddrinfo(name, "80", &hints, &list);
		if (ret)
			job_fail("%s: %s", name, gai_strerror(ret));
		inet_ntop(AF_INET, &((struct sockaddr_in *)list->ai_addr)->sin_addr,
			  address, sizeof(address));
		if (strcmp(address, "192.0.2.1"))
			job_fail("%s: %s, not 192.0.2.1", name, address);
		freeaddrinfo(list);
	}
}

int main(int argc, char **argv)
{
	struct job job = {
		.name = "getaddrinfo",
		.about = "Each worker looks up names.",
		.target = "DOMAIN          where each name has the address 192.0.2.1",
		.workers = 64,
		.rounds = 10,
		.work = work,
	};

	return job_main(&job, argc, argv);
}
