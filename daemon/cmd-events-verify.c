/* SPDX-License-Identifier: GPL-2.0-only */
/* "kvmwarden events verify": are these the events, all of them, as they were written? */
#define _GNU_SOURCE 1
#include <inttypes.h>
#include <jansson.h>

#include "cli.h"
#include "explain.h"
#include "text.h"
#include "usage.h"
#include "util.h"
#include "verify.h"

/* Of a file that is not a trail at all, more would say nothing. */
#define FINDINGS_MAX 1000

struct job {
	char **files;
	size_t file_count;
	struct kw_anchors anchors;
	struct kw_chain start, head;
	struct kw_verified verified;
	struct kw_finding findings[FINDINGS_MAX];
	size_t kept;
	uint64_t found, warned;
};

KW_DEFINE_CLEANUP(struct kw_verify, kw_verify_free)
KW_DEFINE_CLEANUP(json_t, json_decref)

static const char without_head[] =
	"lines cut off at the end: keep the chain elsewhere, and give it with --head";
static const char without_start[] =
	"what stood before the first line: give the chain it follows from with --start";

static int complain(const char *what, const char *file, int error)
{
	fprintf(stderr, "kvmwarden events verify: cannot %s %s: %s\n", what, file, strerror(error));
	return error == ENOMEM ? KW_EXIT_OS : KW_EXIT_DATA;
}

static void keep(void *userdata, const struct kw_finding *finding)
{
	struct job *job = userdata;

	if (kw_finding_is_warning(finding->kind))
		job->warned++;
	else
		job->found++;
	if (job->kept < FINDINGS_MAX)
		job->findings[job->kept++] = *finding;
}

static int compare(const void *left, const void *right)
{
	const struct kw_place *a = &((const struct kw_finding *)left)->at;
	const struct kw_place *b = &((const struct kw_finding *)right)->at;

	if (a->file != b->file)
		return a->file < b->file ? -1 : 1;
	return a->line < b->line ? -1 : a->line > b->line;
}

/* Of a line that is too long the length says so, and there is no more of it in the buffer. */
static bool read_line(FILE *in, char *buffer, size_t *ret_len)
{
	size_t len = 0;
	int c;

	while ((c = getc_unlocked(in)) != EOF && c != '\n') {
		if (len < KW_VERIFY_LINE_MAX)
			buffer[len] = (char)c;
		len += len <= KW_VERIFY_LINE_MAX;
	}
	*ret_len = len;
	return c != EOF || len > 0;
}

static int read_file(struct kw_verify *verify, const char *file)
{
	_cleanup_free_ char *buffer = malloc(KW_VERIFY_LINE_MAX);
	_cleanup_fclose_ FILE *opened = NULL;
	FILE *in;
	size_t len;
	int r;

	if (!buffer)
		return complain("read", file, ENOMEM);
	if (!kw_streq(file, "-"))
		opened = fopen(file, "re");
	in = kw_streq(file, "-") ? stdin : opened;
	if (!in)
		return complain("open", file, errno);
	r = kw_verify_file(verify);
	while (r == 0 && read_line(in, buffer, &len))
		r = kw_verify_line(verify, buffer, len);
	if (r == 0 && ferror(in))
		r = -(errno ?: EIO);
	return r < 0 ? complain("read", file, -r) : KW_EXIT_OK;
}

static int verify_all(struct job *job)
{
	_cleanup_(kw_verify_free_cleanup) struct kw_verify *verify = NULL;
	const struct kw_findings findings = {keep, job};
	int r;

	r = kw_verify_new(&job->anchors, &findings, &verify);
	if (r < 0)
		return complain("verify", job->files[0], -r);
	for (size_t i = 0; i < job->file_count; i++) {
		r = read_file(verify, job->files[i]);
		if (r != KW_EXIT_OK)
			return r;
	}
	r = kw_verify_end(verify, &job->verified);
	if (r < 0)
		return complain("verify", job->files[0], -r);
	qsort(job->findings, job->kept, sizeof(job->findings[0]), compare);
	return KW_EXIT_OK;
}

static const char *came_from(const struct job *job)
{
	if (job->anchors.start)
		return "start";
	return job->verified.from_genesis ? "genesis" : "middle";
}

static void print_findings(const struct job *job)
{
	char text[KW_FINDING_TEXT_MAX];

	for (size_t i = 0; i < job->kept; i++) {
		const struct kw_finding *finding = &job->findings[i];

		kw_finding_text(finding, job->files[finding->other.file], text);
		kw_text_safe(stdout, job->files[finding->at.file]);
		printf(":%" PRIu64 ": %s%s: ", finding->at.line,
		       kw_finding_is_warning(finding->kind) ? "warning: " : "",
		       kw_finding_name(finding->kind));
		kw_text_safe(stdout, text);
		putchar('\n');
	}
	if (job->found + job->warned > job->kept)
		printf("and %" PRIu64 " more\n", job->found + job->warned - job->kept);
}

static void print_losses(const struct kw_losses *losses)
{
	fputs("counted losses  ", stdout);
	for (size_t i = 0; i < losses->count; i++) {
		printf("%s%" PRIu64 " ", i ? ", " : "", losses->reasons[i].count);
		kw_text_safe(stdout, losses->reasons[i].reason);
	}
	puts(losses->count ? "" : "none");
}

static void print(const struct job *job)
{
	const struct kw_verified *verified = &job->verified;
	bool middle = !job->anchors.start && !verified->from_genesis;
	char hex[KW_CHAIN_HEX + 1];

	print_findings(job);
	kw_chain_format(&verified->head, hex);
	printf("lines           %" PRIu64 "\n", verified->lines);
	printf("time            %s to %s\n", verified->first, verified->last);
	printf("chain           %s\n", hex);
	print_losses(&verified->losses);
	if (middle)
		printf("not known       %s\n", without_start);
	if (!job->anchors.head)
		printf("not known       %s\n", without_head);
	if (job->found)
		printf("not intact: %" PRIu64 " finding%s, %" PRIu64 " warning%s\n", job->found,
		       job->found == 1 ? "" : "s", job->warned, job->warned == 1 ? "" : "s");
	else
		printf("intact, %" PRIu64 " warning%s\n", job->warned, job->warned == 1 ? "" : "s");
}

static json_t *finding_json(const struct job *job, const struct kw_finding *finding)
{
	char text[KW_FINDING_TEXT_MAX];

	kw_finding_text(finding, job->files[finding->other.file], text);
	return json_pack("{s:s, s:o, s:I, s:o}", "kind", kw_finding_name(finding->kind), "file",
			 kw_json_text(job->files[finding->at.file]), "line",
			 (json_int_t)finding->at.line, "text", kw_json_text(text));
}

static int print_json(const struct job *job)
{
	_cleanup_(json_decref_cleanup) json_t *findings = json_array();
	_cleanup_(json_decref_cleanup) json_t *warnings = json_array();
	_cleanup_(json_decref_cleanup) json_t *losses = json_object();
	_cleanup_(json_decref_cleanup) json_t *answer = NULL;
	const struct kw_verified *verified = &job->verified;
	char hex[KW_CHAIN_HEX + 1];

	for (size_t i = 0; i < job->kept; i++)
		json_array_append_new(kw_finding_is_warning(job->findings[i].kind) ? warnings
										   : findings,
				      finding_json(job, &job->findings[i]));
	for (size_t i = 0; i < verified->losses.count; i++)
		json_object_set_new(losses, verified->losses.reasons[i].reason,
				    json_integer((json_int_t)verified->losses.reasons[i].count));
	kw_chain_format(&verified->head, hex);
	answer = json_pack("{s:b, s:I, s:s, s:s, s:s, s:s, s:O, s:I, s:O, s:I, s:O}", "intact",
			   job->found == 0, "lines", (json_int_t)verified->lines, "first",
			   verified->first, "last", verified->last, "chain", hex, "from",
			   came_from(job), "losses", losses, "finding_count",
			   (json_int_t)job->found, "findings", findings, "warning_count",
			   (json_int_t)job->warned, "warnings", warnings);
	if (!answer || json_dumpf(answer, stdout, JSON_INDENT(2)) < 0)
		return complain("print", "the answer", ENOMEM);
	putchar('\n');
	return KW_EXIT_OK;
}

static int usage(const char *what, const char *value)
{
	fprintf(stderr, "kvmwarden events verify: %s '%s'; see 'kvmwarden --help'\n", what, value);
	return KW_EXIT_USAGE;
}

static int parse_options(struct job *job, int argc, char **argv)
{
	struct kw_getopt getopt;
	int c;

	kw_usage_getopt("events verify", "", &getopt);
	while ((c = getopt_long(argc, argv, getopt.letters, getopt.options, NULL)) >= 0) {
		struct kw_chain *chain = c == 'h' ? &job->head : &job->start;

		if (c != 'h' && c != 's')
			return KW_EXIT_USAGE;
		if (kw_chain_parse(optarg, strlen(optarg), chain) < 0)
			return usage("no chain, which is 64 digits of 0-9 and a-f:", optarg);
		if (c == 'h')
			job->anchors.head = chain;
		else
			job->anchors.start = chain;
	}
	if (optind == argc)
		return usage("it takes", "FILE...");
	job->files = argv + optind;
	job->file_count = (size_t)(argc - optind);
	return KW_EXIT_OK;
}

static int run(const struct kw_cli *cli, struct job *job)
{
	int r;

	r = verify_all(job);
	if (r != KW_EXIT_OK)
		return r;
	if (job->verified.lines == 0 && job->found == 0) {
		fprintf(stderr, "kvmwarden events verify: %s: no event with a chain in it\n",
			job->files[0]);
		return KW_EXIT_DATA;
	}
	if (!cli->json)
		print(job);
	else if (print_json(job) != KW_EXIT_OK)
		return KW_EXIT_OS;
	return job->found ? KW_EXIT_FINDING : KW_EXIT_OK;
}

int kw_cmd_events_verify(const struct kw_cli *cli, int argc, char **argv)
{
	_cleanup_free_ struct job *job = calloc(1, sizeof(*job)); /* large */
	int r;

	if (!job)
		return KW_EXIT_OS;
	r = parse_options(job, argc, argv);
	return r == KW_EXIT_OK ? run(cli, job) : r;
}
