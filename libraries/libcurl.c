// SPDX-License-Identifier: MIT
#include <curl/curl.h>
#include <stdio.h>

#include "job.h"

static size_t add_length(char *data, size_t size, size_t n, void *sum)
{
	(void)data;
	*(size_t *)sum += size * n;
	return size * n;
}

static void prepare(const struct job *job)
{
	(void)job;
	curl_global_init(CURL_GLOBAL_ALL);
}

/* The blocking interface, a file of the worker's own in each round. */
static void work(const struct job *job, int worker)
{
	CURL *curl = curl_easy_init();
	curl_off_t told;
	char url[256];
	CURLcode ret;
	size_t sum;
	int i;

	if (!curl)
		job_fail("no memory");
	/* a time limit by SIGALRM is not for programs with threads */
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, 120L);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, add_length);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &sum);
	for (i = 0; i < job->rounds; i++) {
		sum = 0;
		snprintf(url, sizeof(url), "%s/%d", job_target,
			 worker * job->rounds + i);
		curl_easy_setopt(curl, CURLOPT_URL, url);
		ret = curl_easy_perform(curl);
		if (ret)
			job_fail("%s: %s", url, curl_easy_strerror(ret));
		curl_easy_getinfo(curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &told);
		if (told <= 0 || sum != (size_t)told)
			job_fail("%s: %zu bytes, not %ld", url, sum, (long)told);
	}
	curl_easy_cleanup(curl);
}

int main(int argc, char **argv)
{
	struct job job = {
		.name = "libcurl",
		.about = "Each worker fetches files by HTTP, with curl_easy_perform().",
		.target = "URL             below it are the files: 0, 1, 2, ...",
		.workers = 64,
		.rounds = 4,
		.prepare = prepare,
		.work = work,
	};

	return job_main(&job, argc, argv);
}
