/* SPDX-License-Identifier: GPL-2.0-only */
/* The page of a report: the timeline of verdicts. */
#define _GNU_SOURCE 1
#include <inttypes.h>
#include <time.h>

#include "html.h"
#include "names.h"
#include "report-internal.h"
#include "util.h"

/*
 * The drawing is as wide as the page and keeps its height in pixels; so what is text stands beside
 * it, or it would be stretched. Units: 10 across for each step of time, one pixel down.
 */
#define STEP_WIDTH 10
#define BAR_GAP 1.5
#define BARS_HEIGHT 160
#define HEADROOM 14
#define LANE_HEIGHT 17
/* A single refusal among thousands of reports must not vanish. */
#define SEGMENT_MIN 3.0
#define TICKS_MAX 9

/* From the bottom to the top: what matters most stands on the line. */
static const unsigned int order[] = {KW_KILL, KW_DENY, KW_AUDIT, KW_ALLOW};

struct chart {
	const struct kw_timeline *timeline;
	struct kw_timeline_view view;
	uint64_t scale; /* events that make a bar of full height */
	unsigned int lane_count;
	int lane_of[_KW_MOMENT_MAX]; /* -1: none */
	FILE *out;
};

static uint64_t sum(const struct kw_bucket *bucket)
{
	uint64_t count = 0;

	for (size_t i = 0; i < KW_ARRAY_SIZE(bucket->verdicts); i++)
		count += bucket->verdicts[i];
	return count;
}

/* A number that can be halved, not far above. */
static uint64_t round_up(uint64_t count)
{
	static const unsigned int few[] = {1, 2, 4, 6, 8, 10};
	static const unsigned int many[] = {12, 14, 16, 20, 24, 30, 40, 50, 60, 80, 100};

	for (size_t i = 0; i < KW_ARRAY_SIZE(few); i++)
		if (few[i] >= count)
			return few[i];
	for (uint64_t power = 1; power < UINT64_MAX / 1000; power *= 10)
		for (size_t i = 0; i < KW_ARRAY_SIZE(many); i++)
			if (many[i] * power >= count)
				return many[i] * power;
	return count;
}

static void measure(struct chart *chart)
{
	const struct kw_timeline *timeline = chart->timeline;
	uint64_t highest = 1;
	bool used[_KW_MOMENT_MAX] = {};

	for (size_t i = 0; i < timeline->count; i++) {
		uint64_t count = sum(&timeline->buckets[i]);

		highest = count > highest ? count : highest;
		for (unsigned int mark = 0; mark < _KW_MOMENT_MAX; mark++)
			used[mark] |= timeline->buckets[i].marks[mark] > 0;
	}
	chart->scale = round_up(highest);
	for (unsigned int mark = 0; mark < _KW_MOMENT_MAX; mark++)
		chart->lane_of[mark] = used[mark] ? (int)chart->lane_count++ : -1;
}

static int bars_top(const struct chart *chart)
{
	return (int)chart->lane_count * LANE_HEIGHT + HEADROOM;
}

static int bottom(const struct chart *chart)
{
	return bars_top(chart) + BARS_HEIGHT;
}

/* --- times ------------------------------------------------------------------------- */

static void write_moment(FILE *out, int64_t seconds, const char *format)
{
	time_t moment = (time_t)seconds;
	char text[64] = "";
	struct tm tm = {};

	/* %e has a blank in front of one digit. */
	if (gmtime_r(&moment, &tm) && strftime(text, sizeof(text), format, &tm) > 0)
		fputs(text, out);
}

static int64_t tick_step(int64_t span)
{
	static const int64_t choices[] = {1,	 5,	10,    15,     30,     60,	120,
					  300,	 600,	900,   1800,   3600,   7200,	10800,
					  21600, 43200, 86400, 172800, 604800, 1209600, 2592000};
	int64_t step;

	for (size_t i = 0; i < KW_ARRAY_SIZE(choices); i++)
		if (span / choices[i] < TICKS_MAX)
			return choices[i];
	for (step = choices[KW_ARRAY_SIZE(choices) - 1]; span / step >= TICKS_MAX;)
		step *= 2;
	return step;
}

/* The hour; and below it the day, where it is another one than that of the tick before. */
static void write_tick(const struct chart *chart, int64_t moment, int64_t step, bool first)
{
	int64_t unit = step < 86400 ? 86400 : 366 * 86400;
	bool other = first || moment / unit != (moment - step) / unit;

	write_moment(chart->out, moment, step < 60 ? "%H:%M:%S" : step < 86400 ? "%H:%M" : "%b %e");
	if (!other)
		return;
	fputs("<br>", chart->out);
	write_moment(chart->out, moment, step < 86400 ? "%Y-%m-%d" : "%Y");
}

static void write_ticks(const struct chart *chart)
{
	int64_t length = chart->timeline->step;
	int64_t begin = chart->view.first * length;
	int64_t span = (int64_t)chart->view.count * length;
	int64_t step = tick_step(span);
	int64_t moment = begin - begin % step;
	bool first = true;

	fputs("<div class=\"xs\">", chart->out);
	while (moment < begin)
		moment += step;
	for (unsigned int i = 0; moment <= begin + span; moment += step, i++) {
		double at = 100.0 * (double)(moment - begin) / (double)span;

		fprintf(chart->out, "<span class=\"%s%s\" style=\"left:%.3f%%\">",
			at < 4	  ? "start"
			: at > 96 ? "end"
				  : "",
			i % 2 ? " odd" : "", at);
		write_tick(chart, moment, step, first);
		fputs("</span>", chart->out);
		first = false;
	}
	fputs("</div>\n", chart->out);
}

/* --- the drawing ------------------------------------------------------------------- */

static void write_title(const struct chart *chart, size_t i)
{
	static const char *const done[] = {"allowed", "audited", "denied", "killed"};
	const struct kw_timeline *timeline = chart->timeline;
	const struct kw_bucket *bucket = &timeline->buckets[i];
	int64_t begin = (timeline->first + (int64_t)i) * timeline->step;

	_Static_assert(KW_ARRAY_SIZE(done) == _KW_VERDICT_MAX, "a word for each");
	fputs("<title>", chart->out);
	write_moment(chart->out, begin, "%Y-%m-%d %H:%M:%S");
	write_moment(chart->out, begin + timeline->step, " to %H:%M:%S");
	for (size_t verdict = _KW_VERDICT_MAX; verdict-- > 0;)
		if (bucket->verdicts[verdict])
			fprintf(chart->out, "\n%" PRIu64 " %s", bucket->verdicts[verdict],
				done[verdict]);
	for (unsigned int mark = 0; mark < _KW_MOMENT_MAX; mark++)
		if (bucket->marks[mark])
			fprintf(chart->out, "\n%s: %" PRIu64, kw_moment_name(mark),
				bucket->marks[mark]);
	fputs("</title>", chart->out);
}

static void write_segments(const struct chart *chart, const struct kw_bucket *bucket, double x)
{
	double y = bottom(chart);

	for (size_t i = 0; i < KW_ARRAY_SIZE(order); i++) {
		uint64_t count = bucket->verdicts[order[i]];
		double height = BARS_HEIGHT * (double)count / (double)chart->scale;

		if (!count)
			continue;
		height = height < SEGMENT_MIN ? SEGMENT_MIN : height;
		y -= height;
		fprintf(chart->out,
			"<rect class=\"%s\" x=\"%.1f\" y=\"%.2f\" width=\"%.1f\" height=\"%.2f\"/>",
			kw_verdict_name(order[i]), x + BAR_GAP / 2, y, STEP_WIDTH - BAR_GAP,
			height);
	}
}

static void write_marks(const struct chart *chart, const struct kw_bucket *bucket, double x)
{
	for (unsigned int mark = 0; mark < _KW_MOMENT_MAX; mark++) {
		double y = (chart->lane_of[mark] + 0.5) * LANE_HEIGHT;

		if (!bucket->marks[mark])
			continue;
		/* A dot is a line of no length with round ends: it stays round. */
		fprintf(chart->out,
			"<g class=\"mark m%u\"><line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" "
			"y2=\"%d\"/>"
			"<path d=\"M%.1f %.1fh.01\"/></g>",
			mark, x, y, x, bottom(chart), x, y);
	}
}

static void write_lines(const struct chart *chart, size_t width)
{
	for (unsigned int lane = 0; lane < chart->lane_count; lane++)
		fprintf(chart->out,
			"<line class=\"grid\" x1=\"0\" y1=\"%.1f\" x2=\"%zu\" y2=\"%.1f\"/>",
			(lane + 0.5) * LANE_HEIGHT, width, (lane + 0.5) * LANE_HEIGHT);
	for (int half = 0; half < 3; half++)
		fprintf(chart->out, "<line class=\"%s\" x1=\"0\" y1=\"%d\" x2=\"%zu\" y2=\"%d\"/>",
			half ? "grid" : "base", bottom(chart) - half * BARS_HEIGHT / 2, width,
			bottom(chart) - half * BARS_HEIGHT / 2);
	putc('\n', chart->out);
}

static void write_drawing(const struct chart *chart)
{
	const struct kw_timeline *timeline = chart->timeline;
	size_t width = chart->view.count * STEP_WIDTH;

	fprintf(chart->out,
		"<svg viewBox=\"0 0 %zu %d\" height=\"%d\" preserveAspectRatio=\"none\" "
		"role=\"img\" "
		"aria-label=\"Verdicts in the course of time\">\n",
		width, bottom(chart), bottom(chart));
	write_lines(chart, width);
	for (size_t i = 0; i < timeline->count; i++) {
		double x = (double)(chart->view.offset + i) * STEP_WIDTH;

		fputs("<g class=\"slot\">", chart->out);
		write_title(chart, i);
		write_segments(chart, &timeline->buckets[i], x);
		write_marks(chart, &timeline->buckets[i], x + STEP_WIDTH / 2.0);
		fprintf(chart->out,
			"<rect class=\"hit\" x=\"%.0f\" y=\"0\" width=\"%d\" height=\"%d\"/>"
			"</g>\n",
			x, STEP_WIDTH, bottom(chart));
	}
	fputs("</svg>\n", chart->out);
}

static void write_level(const struct chart *chart, uint64_t count, int y)
{
	fprintf(chart->out, "<span style=\"top:%dpx\">", y);
	kw_html_number(chart->out, count);
	fputs("</span>", chart->out);
}

static void write_labels(const struct chart *chart)
{
	fprintf(chart->out, "<div class=\"ys\" style=\"height:%dpx\">", bottom(chart));
	for (unsigned int mark = 0; mark < _KW_MOMENT_MAX; mark++)
		if (chart->lane_of[mark] >= 0)
			fprintf(chart->out, "<span style=\"top:%.1fpx\">%s</span>",
				(chart->lane_of[mark] + 0.5) * LANE_HEIGHT, kw_moment_name(mark));
	write_level(chart, chart->scale, bars_top(chart));
	if (chart->scale > 1)
		write_level(chart, chart->scale / 2, bars_top(chart) + BARS_HEIGHT / 2);
	write_level(chart, 0, bottom(chart));
	fputs("</div>\n", chart->out);
}

/* "5 min" */
static void write_length(FILE *out, int64_t seconds)
{
	if (seconds % 86400 == 0)
		fprintf(out, "%" PRId64 " d", seconds / 86400);
	else if (seconds % 3600 == 0)
		fprintf(out, "%" PRId64 " h", seconds / 3600);
	else if (seconds % 60 == 0)
		fprintf(out, "%" PRId64 " min", seconds / 60);
	else
		fprintf(out, "%" PRId64 " s", seconds);
}

void kw_report_timeline_html(const struct kw_report *report, FILE *out)
{
	struct chart chart = {.timeline = &report->timeline, .out = out};

	if (report->timeline.count == 0)
		return;
	chart.view = kw_timeline_view(&report->timeline);
	measure(&chart);
	fputs("<section>\n<h2>Verdicts</h2>\n<p class=\"hint\">Events in steps of ", out);
	write_length(out, report->timeline.step);
	fputs(", times in UTC. Dots and dashed lines: what happened to kvmwarden itself.</p>\n"
	      "<ul class=\"legend\"><li><i class=\"kill\"></i>kill</li><li><i "
	      "class=\"deny\"></i>deny"
	      "</li><li><i class=\"audit\"></i>audit</li><li><i "
	      "class=\"allow\"></i>allow</li></ul>\n"
	      "<div class=\"chart\">\n",
	      out);
	write_labels(&chart);
	write_drawing(&chart);
	write_ticks(&chart);
	fputs("</div>\n</section>\n", out);
}
