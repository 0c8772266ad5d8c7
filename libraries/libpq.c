// SPDX-License-Identifier: MIT
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "job.h"

static struct pg_conn **connections;	/* PGconn */

/* Beforehand: it is the queries that are measured, not how a server starts processes. */
static void prepare(const struct job *job)
{
	int i;

	connections = calloc(job->workers, sizeof(PGconn *));
	if (!connections)
		job_fail("no memory");
	for (i = 0; i < job->workers; i++) {
		connections[i] = PQconnectdb(job_target);
		if (PQstatus(connections[i]) != CONNECTION_OK)
			job_fail("%s", PQerrorMessage(connections[i]));
	}
}

static void work(const struct job *job, int worker)
{
	PGconn *c = connections[worker];
	PGresult *result;
	int i;

	for (i = 0; i < job->rounds; i++) {
		result = PQexec(c, "SELECT 42 FROM pg_sleep(0.1)");
		if (PQresultStatus(result) != PGRES_TUPLES_OK)
			job_fail("%s", PQerrorMessage(c));
		if (PQntuples(result) != 1 || strcmp(PQgetvalue(result, 0, 0), "42"))
			job_fail("what was asked for is 42");
		PQclear(result);
	}
}

static void verify(const struct job *job)
{
	int i;

	for (i = 0; i < job->workers; i++)
		PQfinish(connections[i]);
	free(connections);
}

int main(int argc, char **argv)
{
	struct job job = {
		.name = "libpq",
		.about = "Each worker, on its connection to a PostgreSQL server, waits for\n"
			 "pg_sleep(0.1).",
		.target = "CONNECTION      as of PQconnectdb(): 'host=127.0.0.1 user=...'",
		.workers = 100,
		.rounds = 20,
		.prepare = prepare,
		.work = work,
		.verify = verify,
	};

	return job_main(&job, argc, argv);
}
