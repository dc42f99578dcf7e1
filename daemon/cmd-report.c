/* SPDX-License-Identifier: GPL-2.0-only */
/* "kvmwarden report": what recorded events come to, as a page, as JSON, or on the terminal. */
#define _GNU_SOURCE 1
#include <fcntl.h>
#include <sys/stat.h>

#include "cli.h"
#include "json-read.h"
#include "report.h"
#include "text.h"
#include "usage.h"
#include "util.h"

/* Longer lines are no events. */
#define LINE_MAX_BYTES 65536
/* Of a file that holds no events at all, more would say nothing. */
#define COMPLAINTS_MAX 20

struct input {
	const char *name;
	size_t given; /* as which */
	FILE *file; /* owned, unless it is stdin */
	char *line; /* owned: the next one, read already */
	size_t len; /* beyond LINE_MAX_BYTES: it was longer, and is not kept */
	bool has_line;
	uint64_t number; /* of that line */
	char host[65]; /* of the first line */
	char time[KW_FACT_TIME_MAX];
};

struct job {
	const char *html; /* or NULL */
	const char *title;
	struct input *inputs;
	size_t input_count;
	uint64_t complaints;
	struct kw_report *report;
};

KW_DEFINE_CLEANUP(json_t, json_decref)

static void job_done(struct job *job)
{
	for (size_t i = 0; i < job->input_count; i++) {
		if (job->inputs[i].file && job->inputs[i].file != stdin)
			fclose(job->inputs[i].file);
		free(job->inputs[i].line);
	}
	free(job->inputs);
	kw_report_free(job->report);
}

static int complain(const char *what, const char *file, int error)
{
	fprintf(stderr, "kvmwarden report: cannot %s %s: %s\n", what, file, strerror(error));
	return error == ENOMEM ? KW_EXIT_OS : KW_EXIT_FINDING;
}

static int no_memory(void)
{
	fputs("kvmwarden report: out of memory\n", stderr);
	return KW_EXIT_OS;
}

/* --- lines ------------------------------------------------------------------------ */

/* Of a line that is too long the length says so. -errno when reading failed. */
static int next_line(struct input *input)
{
	size_t len = 0;
	int c;

	while ((c = getc_unlocked(input->file)) != EOF && c != '\n') {
		if (len < LINE_MAX_BYTES)
			input->line[len] = (char)c;
		len += len <= LINE_MAX_BYTES;
	}
	input->len = len;
	input->has_line = c != EOF || len > 0;
	input->number += input->has_line;
	return c == EOF && ferror(input->file) ? -(errno ?: EIO) : 0;
}

/* As "kvmwarden events --file" does: what cannot be read does not hide the others. */
static void reject(struct job *job, const struct input *input, const char *why)
{
	json_error_t error = {.column = -1};

	kw_report_add_broken(job->report);
	if (++job->complaints > COMPLAINTS_MAX)
		return;
	/* Only where the JSON ends to be any. */
	if (!why)
		json_decref(json_loadb(input->line, input->len, 0, &error));
	fprintf(stderr, "kvmwarden report: %s:%llu", input->name,
		(unsigned long long)input->number);
	if (error.column > 0)
		fprintf(stderr, ":%d", error.column);
	fprintf(stderr, ": %s\n", why ?: "not a JSON object");
}

static int take_line(struct job *job, const struct input *input)
{
	_cleanup_(json_decref_cleanup) json_t *event = NULL;
	int r;

	if (input->len > LINE_MAX_BYTES) {
		reject(job, input, "a line too long for an event");
		return 0;
	}
	event = kw_json_read(input->line, input->len, 0);
	if (!json_is_object(event)) {
		reject(job, input, NULL);
		return 0;
	}
	r = kw_report_add(job->report, event);
	if (r == -EINVAL)
		reject(job, input, "an object without the member 'event'");
	return r == -EINVAL ? 0 : r;
}

static int read_input(struct job *job, struct input *input)
{
	int r = 0;

	while (r == 0 && input->has_line) {
		r = take_line(job, input);
		if (r < 0)
			return no_memory();
		r = next_line(input);
	}
	return r < 0 ? complain("read", input->name, -r) : KW_EXIT_OK;
}

/* --- files ------------------------------------------------------------------------- */

/* Whose its first line is, and of when: by these files find their order. */
static void look(struct input *input)
{
	_cleanup_(json_decref_cleanup) json_t *event = NULL;

	if (!input->has_line || input->len > LINE_MAX_BYTES)
		return;
	event = kw_json_read(input->line, input->len, 0);
	snprintf(input->host, sizeof(input->host), "%s", kw_text_member(event, "host"));
	snprintf(input->time, sizeof(input->time), "%s", kw_text_member(event, "time"));
}

static int open_input(struct input *input)
{
	int r;

	/* All stay open: one that is rotated meanwhile is still the one it was. */
	input->file = kw_streq(input->name, "-") ? stdin : fopen(input->name, "re");
	if (!input->file)
		return complain("open", input->name, errno);
	input->line = malloc(LINE_MAX_BYTES);
	if (!input->line)
		return no_memory();
	r = next_line(input);
	if (r < 0)
		return complain("read", input->name, -r);
	look(input);
	return KW_EXIT_OK;
}

static int compare(const void *left, const void *right)
{
	const struct input *a = left, *b = right;
	int order = strcmp(a->host, b->host) ?: strcmp(a->time, b->time);

	if (order == 0)
		order = a->given < b->given ? -1 : a->given > b->given;
	return order;
}

static int read_all(struct job *job)
{
	int r;

	for (size_t i = 0; i < job->input_count; i++) {
		r = open_input(&job->inputs[i]);
		if (r != KW_EXIT_OK)
			return r;
	}
	qsort(job->inputs, job->input_count, sizeof(job->inputs[0]), compare);
	for (size_t i = 0; i < job->input_count; i++) {
		r = read_input(job, &job->inputs[i]);
		if (r != KW_EXIT_OK)
			return r;
	}
	if (job->complaints > COMPLAINTS_MAX)
		fprintf(stderr, "kvmwarden report: %llu more lines could not be read\n",
			(unsigned long long)(job->complaints - COMPLAINTS_MAX));
	return kw_report_end(job->report) < 0 ? no_memory() : KW_EXIT_OK;
}

/* --- the page ---------------------------------------------------------------------- */

static int refuse(const char *path, const char *why)
{
	fprintf(stderr, "kvmwarden report: cannot write %s: %s\n", path, why);
	return KW_EXIT_OS;
}

/* It takes the place of what is there: that must be a file, and none that is read. */
static int check_target(const struct job *job)
{
	struct stat there, in;

	if (lstat(job->html, &there) < 0)
		return KW_EXIT_OK;
	if (!S_ISREG(there.st_mode))
		return refuse(job->html, "it is there, and no regular file");
	for (size_t i = 0; i < job->input_count; i++)
		if (fstat(fileno(job->inputs[i].file), &in) == 0 && in.st_dev == there.st_dev &&
		    in.st_ino == there.st_ino)
			return refuse(job->html, "it is one of the files that are read");
	return KW_EXIT_OK;
}

/* 0 or -errno. Where it fails nothing is left. */
static int write_page(const struct job *job, int fd, const char *temporary)
{
	mode_t mask = umask(0);
	FILE *out = fdopen(fd, "w");
	int r = 0;

	umask(mask);
	if (!out) {
		r = -errno;
		close(fd);
		return r;
	}
	kw_report_html(job->report, job->title, out);
	if (fflush(out) == EOF || ferror(out) || fchmod(fd, 0666 & ~mask) < 0 || fsync(fd) < 0)
		r = -(errno ?: EIO);
	if (fclose(out) == EOF && r == 0)
		r = -errno;
	if (r == 0 && rename(temporary, job->html) < 0)
		r = -errno;
	return r;
}

/* First beside it: who looks meanwhile sees the old page, or the new one. */
static int save_page(const struct job *job)
{
	_cleanup_free_ char *temporary = NULL;
	int fd, r, status = check_target(job);

	if (status != KW_EXIT_OK)
		return status;
	if (asprintf(&temporary, "%s.XXXXXX", job->html) < 0) {
		temporary = NULL;
		return no_memory();
	}
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return refuse(job->html, strerror(errno));
	r = write_page(job, fd, temporary);
	if (r < 0) {
		unlink(temporary);
		return refuse(job->html, strerror(-r));
	}
	return KW_EXIT_OK;
}

/* --- the command --------------------------------------------------------------------- */

static int print(const struct kw_cli *cli, const struct job *job)
{
	_cleanup_(json_decref_cleanup) json_t *answer = NULL;

	if (!cli->json)
		return job->html || kw_report_print(job->report, stdout) == 0 ? KW_EXIT_OK
									      : no_memory();
	answer = kw_report_json(job->report);
	if (!answer || json_dumpf(answer, stdout, JSON_INDENT(2)) < 0)
		return no_memory();
	putchar('\n');
	return KW_EXIT_OK;
}

static int usage(const char *what, const char *value)
{
	fprintf(stderr, "kvmwarden report: %s '%s'; see 'kvmwarden --help'\n", what, value);
	return KW_EXIT_USAGE;
}

static int parse_options(struct job *job, int argc, char **argv)
{
	struct kw_getopt getopt;
	int c;

	kw_usage_getopt("report", "", &getopt);
	while ((c = getopt_long(argc, argv, getopt.letters, getopt.options, NULL)) >= 0) {
		if (c == 'o')
			job->html = optarg;
		else if (c == 't')
			job->title = optarg;
		else
			return KW_EXIT_USAGE;
	}
	if (job->html && kw_streq(job->html, "-"))
		return usage("a page goes to a file, not to", job->html);
	if (optind == argc)
		return usage("it takes", "EVENTS-FILE...");
	job->inputs = calloc((size_t)(argc - optind), sizeof(*job->inputs));
	if (!job->inputs)
		return no_memory();
	job->input_count = (size_t)(argc - optind);
	for (size_t i = 0; i < job->input_count; i++)
		job->inputs[i] = (struct input){.name = argv[optind + (int)i], .given = i};
	return KW_EXIT_OK;
}

int kw_cmd_report(const struct kw_cli *cli, int argc, char **argv)
{
	_cleanup_(job_done) struct job job = {.title = "What happened to the VMs"};
	int r;

	r = parse_options(&job, argc, argv);
	if (r != KW_EXIT_OK)
		return r;
	if (kw_report_new(&job.report) < 0)
		return no_memory();
	r = read_all(&job);
	if (r == KW_EXIT_OK && job.html)
		r = save_page(&job);
	if (r == KW_EXIT_OK)
		r = print(cli, &job);
	return r == KW_EXIT_OK && job.report->broken ? KW_EXIT_FINDING : r;
}
