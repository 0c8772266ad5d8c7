// SPDX-License-Identifier: MIT
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "job.h"

static sqlite3 *open_database(void)
{
	sqlite3 *db;

	if (sqlite3_open(job_target, &db))
		job_fail("%s: %s", job_target, sqlite3_errmsg(db));
	/* who finds it locked sleeps, in nanosleep(2), and looks again */
	sqlite3_busy_timeout(db, 120000);
	return db;
}

static void run(sqlite3 *db, const char *sql)
{
	char *error;

	if (sqlite3_exec(db, sql, NULL, NULL, &error))
		job_fail("%s: %s", sql, error);
}

static long count(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *statement;
	long n;

	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) ||
	    sqlite3_step(statement) != SQLITE_ROW)
		job_fail("%s: %s", sql, sqlite3_errmsg(db));
	n = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return n;
}

static void prepare(const struct job *job)
{
	sqlite3 *db;

	(void)job;
	unlink(job_target);
	db = open_database();
	run(db, "PRAGMA journal_mode = WAL");
	run(db, "CREATE TABLE line (worker INTEGER, round INTEGER, text TEXT)");
	sqlite3_close(db);
}

/* Each round is a transaction, which is on the disk when it is over. */
static void work(const struct job *job, int worker)
{
	sqlite3 *db = open_database();
	char sql[128];
	int i;

	run(db, "PRAGMA synchronous = FULL");
	for (i = 0; i < job->rounds; i++) {
		snprintf(sql, sizeof(sql),
			 "INSERT INTO line VALUES (%d, %d, hex(randomblob(500)))",
			 worker, i);
		run(db, sql);
	}
	sqlite3_close(db);
}

static void verify(const struct job *job)
{
	sqlite3 *db = open_database();
	long want = (long)job->workers * job->rounds;
	long n = count(db, "SELECT count(DISTINCT worker * 1000000 + round) FROM line");

	if (n != want ||
	    count(db, "SELECT count(*) FROM line WHERE length(text) = 1000") != want)
		job_fail("%ld rows, not %ld", n, want);
	/* What is wrong is a row, not an error. */
	if (count(db, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"))
		job_fail("the database is damaged");
	sqlite3_close(db);
}

int main(int argc, char **argv)
{
	struct job job = {
		.name = "SQLite",
		.about = "Each worker commits rows to a database with a write-ahead log, which\n"
			 "is synced each time.",
		.target = "FILE            the database, which is made anew",
		.workers = 64,
		.rounds = 4,
		.prepare = prepare,
		.work = work,
		.verify = verify,
	};

	return job_main(&job, argc, argv);
}
