/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Frames on a terminal, by curses.
 *
 * Signals that end us are blocked but in ppoll(2): none can come between a look at
 * the flag and the wait, and the terminal is restored by the one who left it so.
 * SIGWINCH is ncurses's: it makes getch() return KEY_RESIZE.
 */
#define _GNU_SOURCE 1
#define NCURSES_WIDECHAR 1
#define NCURSES_NOMACROS 1
#include <curses.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <wchar.h>

#include "cmd-top.h"
#include "text.h"
#include "util.h"

#define CTRL_L ('l' & 0x1f)
#define ESCAPE_MS 25 /* between the bytes of one key */

enum { RED = 1, GREEN, YELLOW };

struct screen {
	struct kw_top_watch *watch;
	SCREEN *curses;
	sigset_t outside; /* the signals that were blocked before */
	bool colour;
	bool help;
	bool over;
	size_t first; /* row that stands first */
};

static const char *const help_lines[] = {
	"q      ends it",
	"space  looks again now",
	"s      sorts by the next column",
	"d      only VMs that were refused something, or all",
	"h      this, and back",
	"arrows, page keys, home: more VMs than lines",
	"",
	"VERDICTS/S  audit, deny and kill on this VM, a second, with those",
	"            that a rate limit kept from being an event",
	"DENIED      ioctls on it that were refused, since it is known",
	"CONDEMNED   a race was won on it: nothing is let through to it",
};

static volatile sig_atomic_t ended;

static void on_end(int signal)
{
	ended = signal;
}

/* --- lines ------------------------------------------------------------------ */

/* As much of it as fits. What the locale cannot show is a question mark. */
static void put_line(int y, const char *text, size_t len, attr_t attributes)
{
	mbstate_t state = {};
	int x = 0;

	if (y >= LINES)
		return;
	attrset((int)attributes);
	move(y, 0);
	while (len > 0) {
		wchar_t c;
		size_t n = mbrtowc(&c, text, len, &state);
		int width = n > len ? -1 : wcwidth(c);

		if (n > len) {
			state = (mbstate_t){};
			n = 1;
		}
		if (width < 0) {
			c = L'?';
			width = 1;
		}
		if (x + width > COLS)
			break;
		addnwstr(&c, 1);
		x += width;
		text += n ? n : 1;
		len -= n ? n : 1;
	}
	attrset(A_NORMAL);
}

static attr_t coloured(const struct screen *screen, int pair, attr_t attributes)
{
	return attributes | (screen->colour ? (attr_t)COLOR_PAIR(pair) : 0);
}

static attr_t attributes_of_row(const struct screen *screen, const struct kw_top_row *row)
{
	if (row->vm->condemned)
		return coloured(screen, RED, A_BOLD);
	if (row->denied_rate > 0)
		return coloured(screen, RED, A_NORMAL);
	return row->vm->denied ? coloured(screen, YELLOW, A_NORMAL) : A_NORMAL;
}

static attr_t attributes_of(const struct screen *screen, size_t line)
{
	const struct kw_top_frame *frame = &screen->watch->frame;

	if (line == KW_TOP_VERDICT_LINE)
		return kw_top_frame_tone(frame) == KW_TOP_GOOD ? coloured(screen, GREEN, A_BOLD)
							       : coloured(screen, RED, A_REVERSE);
	if (line == KW_TOP_HEADING_LINE && frame->top.count > 0)
		return A_REVERSE;
	if (line >= KW_TOP_ROWS_LINE && line - KW_TOP_ROWS_LINE < frame->top.count)
		return attributes_of_row(screen, &frame->top.rows[line - KW_TOP_ROWS_LINE]);
	return A_NORMAL;
}

static void put_help(void)
{
	for (size_t i = 0; i < KW_ARRAY_SIZE(help_lines); i++)
		put_line((int)(KW_TOP_HEADING_LINE + i), help_lines[i], strlen(help_lines[i]),
			 A_NORMAL);
}

/* Of a table that is longer than the screen, the part that was scrolled to. */
static void put_frame(const struct screen *screen, const char *text)
{
	size_t line = 0, y = 0;
	const char *end;

	for (; (end = strchr(text, '\n')); text = end + 1, line++) {
		if (screen->help && line >= KW_TOP_HEADING_LINE)
			break;
		if (line >= KW_TOP_ROWS_LINE && line - KW_TOP_ROWS_LINE < screen->first)
			continue;
		if (y >= (size_t)LINES)
			break;
		put_line((int)y++, text, (size_t)(end - text), attributes_of(screen, line));
		if (line == KW_TOP_SORT_LINE)
			printw("; h: help, q: quit");
	}
	if (screen->help)
		put_help();
}

static int draw(const struct screen *screen)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	FILE *out;
	int r;

	out = open_memstream(&text, &len);
	if (!out)
		return -ENOMEM;
	r = kw_top_frame_print(&screen->watch->frame, out);
	if (fclose(out) == EOF || r < 0)
		return -ENOMEM;
	erase();
	put_frame(screen, text);
	move(0, 0);
	refresh();
	return 0;
}

/* --- keys ------------------------------------------------------------------- */

static void scroll_to(struct screen *screen, long first)
{
	const long count = (long)screen->watch->frame.top.count;

	if (first > count - 1)
		first = count - 1;
	screen->first = first > 0 ? (size_t)first : 0;
}

static int arrange(struct screen *screen)
{
	screen->first = 0;
	return kw_top_watch_arrange(screen->watch);
}

static int obey(struct screen *screen, int key, bool *look)
{
	struct kw_top_frame *frame = &screen->watch->frame;
	const long page = LINES > KW_TOP_ROWS_LINE + 1 ? LINES - KW_TOP_ROWS_LINE : 1;

	switch (key) {
	case 'q':
		screen->over = true;
		break;
	case ' ':
		*look = true;
		break;
	case 's':
		frame->column = (frame->column + 1) % _KW_TOP_COLUMN_MAX;
		return arrange(screen);
	case 'd':
		frame->only_denials = !frame->only_denials;
		return arrange(screen);
	case 'h':
	case '?':
		screen->help = !screen->help;
		break;
	case CTRL_L:
		clearok(curscr, TRUE);
		break;
	case KEY_DOWN:
	case KEY_UP:
		scroll_to(screen, (long)screen->first + (key == KEY_DOWN ? 1 : -1));
		break;
	case KEY_NPAGE:
	case KEY_PPAGE:
		scroll_to(screen, (long)screen->first + (key == KEY_NPAGE ? page : -page));
		break;
	case KEY_HOME:
		scroll_to(screen, 0);
		break;
	}
	return 0;
}

/* Until a key, a signal, or the time; obeys what was typed meanwhile. */
static int wait_and_obey(struct screen *screen, uint64_t until_ns, bool *look)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
	uint64_t now = kw_clock_ns(CLOCK_MONOTONIC);
	uint64_t left = until_ns > now ? until_ns - now : 0;
	const struct timespec timeout = {.tv_sec = (time_t)(left / 1000000000),
					 .tv_nsec = (long)(left % 1000000000)};
	int r, key;

	r = ppoll(&in, 1, &timeout, &screen->outside);
	if (r < 0 && errno != EINTR)
		return -errno;
	/* The terminal is gone. */
	if (r > 0 && (in.revents & (POLLHUP | POLLERR | POLLNVAL)))
		screen->over = true;
	while (!screen->over && !ended && (key = getch()) != ERR) {
		r = obey(screen, key, look);
		if (r < 0)
			return r;
	}
	return 0;
}

static int watch_on_screen(struct screen *screen)
{
	const uint64_t interval = screen->watch->interval_ns;
	uint64_t next = kw_clock_ns(CLOCK_MONOTONIC) + interval;
	int r;

	while (!screen->over && !ended) {
		bool look = false;

		r = draw(screen);
		if (r == 0)
			r = wait_and_obey(screen, next, &look);
		if (r < 0)
			return r;
		if (screen->over || ended || (!look && kw_clock_ns(CLOCK_MONOTONIC) < next))
			continue;
		r = kw_top_watch_look(screen->watch);
		if (r < 0)
			return r;
		scroll_to(screen, (long)screen->first);
		next = kw_clock_ns(CLOCK_MONOTONIC) + interval;
	}
	return 0;
}

/* --- the terminal ----------------------------------------------------------- */

static void catch_ends(struct screen *screen)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	const struct sigaction action = {.sa_handler = on_end};
	sigset_t block;

	sigemptyset(&block);
	for (size_t i = 0; i < KW_ARRAY_SIZE(signals); i++) {
		sigaction(signals[i], &action, NULL);
		sigaddset(&block, signals[i]);
	}
	sigprocmask(SIG_BLOCK, &block, &screen->outside);
}

static void start_colours(struct screen *screen)
{
	if (!kw_text_wants_colour(stdout) || !has_colors() || start_color() == ERR)
		return;
	use_default_colors();
	init_pair(RED, COLOR_RED, -1);
	init_pair(GREEN, COLOR_GREEN, -1);
	init_pair(YELLOW, COLOR_YELLOW, -1);
	screen->colour = true;
}

int kw_top_screen(struct kw_top_watch *watch)
{
	struct screen screen = {.watch = watch};
	int r;

	/* Which bytes are one character; numbers and times stay as they are. */
	setlocale(LC_CTYPE, "");
	/* initscr() would end the program. */
	screen.curses = newterm(NULL, stdout, stdin);
	if (!screen.curses)
		return -ENOTSUP;
	catch_ends(&screen);
	start_colours(&screen);
	cbreak();
	noecho();
	nonl();
	set_escdelay(ESCAPE_MS);
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	curs_set(0);
	r = watch_on_screen(&screen);
	endwin();
	delscreen(screen.curses);
	if (r == 0)
		return KW_EXIT_OK;
	fprintf(stderr, "kvmwarden: %s\n", strerror(-r));
	return KW_EXIT_OS;
}
