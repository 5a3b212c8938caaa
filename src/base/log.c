/* SPDX-License-Identifier: Apache-2.0 */
/* Log: see log.h. */
#include "base/log.h"

#include "base/clock.h"
#include "base/span.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define LINE_MAX_BYTES                                                         \
	4094 /* with its end a pipe takes it whole or not at all */

static const char *const names[] = {[LOG_CRIT] = "crit",
    [LOG_ERR] = "error",
    [LOG_WARNING] = "warning",
    [LOG_NOTICE] = "notice",
    [LOG_INFO] = "info",
    [LOG_DEBUG] = "debug"};
static char process[32] = "-";
static int least_level = LOG_NOTICE;
static int as_json;
static unsigned long untold; /* lines that nobody took */

void
dvt_log_init(const char *proc, int least, int json)
{
	(void)snprintf(process, sizeof(process), "%s", proc);
	least_level = least;
	as_json = json;
}

void
dvt_log_level_set(int least)
{
	least_level = least;
}

int
dvt_log_level_from_name(const char *name)
{
	for (size_t i = 0; i < DVT_COUNT(names); i++) {
		if (names[i] != NULL && strcmp(names[i], name) == 0)
			return (int)i;
	}
	return -1;
}

bool
dvt_log_wants(int level)
{
	return level <= least_level;
}

/* Text in quotes where it needs them; no control character gets through. */
static void
put_text(struct dvt_buf *b, const char *s)
{
	int plain = *s != '\0' && !as_json;

	for (const char *c = s; *c != '\0' && plain; c++)
		plain = isgraph((unsigned char)*c) && *c != '"' && *c != '=';
	if (plain) {
		dvt_buf_puts(b, s);
		return;
	}
	dvt_buf_putc(b, '"');
	for (const char *c = s; *c != '\0'; c++) {
		if (*c == '"' || *c == '\\')
			dvt_buf_printf(b, "\\%c", *c);
		else if (iscntrl((unsigned char)*c))
			dvt_buf_printf(b, "\\u%04x", (unsigned char)*c);
		else
			dvt_buf_putc(b, *c);
	}
	dvt_buf_putc(b, '"');
}

static void
put_pair(struct dvt_buf *b, const char *key, const char *s, int64_t i)
{
	if (as_json)
		dvt_buf_printf(b, "%c\"%s\":", b->n == 0 ? '{' : ',', key);
	else
		dvt_buf_printf(b, "%s%s=", b->n == 0 ? "" : " ", key);
	if (s != NULL)
		put_text(b, s);
	else
		dvt_buf_printf(b, "%lld", (long long)i);
}

/* A line's beginning. */
static void
put_head(struct dvt_buf *line, int level, const char *event)
{
	char at[32];

	dvt_buf_init(line, LINE_MAX_BYTES);
	put_pair(line, "time",
	    dvt_time_format(dvt_time_now().wall_s, at, sizeof(at)), 0);
	put_pair(line, "event", event, 0);
	put_pair(line, "severity", names[level], 0);
	put_pair(line, "proc", process, 0);
}

/* false: whoever reads it takes nothing just now. */
static bool
put_line(struct dvt_buf *line)
{
	bool taken;

	line->full = false; /* an over-long line is cut, never lost */
	line->max += 2;
	dvt_buf_puts(line, as_json ? "}\n" : "\n");
	taken = write(STDERR_FILENO, line->p, line->n) >= 0 || errno != EAGAIN;
	dvt_buf_fini(line);
	return taken;
}

void
dvt_log_event(int level, const char *event, const struct dvt_log_field *fields)
{
	struct dvt_buf line;

	if (!dvt_log_wants(level))
		return;
	if (untold > 0) {
		put_head(&line, LOG_ERR, "log.lost");
		put_pair(&line, "lines", NULL, (int64_t)untold);
		if (put_line(&line))
			untold = 0;
	}
	put_head(&line, level, event);
	for (; fields->key != NULL; fields++)
		put_pair(&line, fields->key, fields->s, fields->i);
	if (!put_line(&line))
		untold++;
}
