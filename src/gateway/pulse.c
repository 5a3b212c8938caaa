/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/pulse.h"

#include "base/mem.h"
#include "gateway/settings.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

/* The feed process is place 0. */
#define PLACES (1 + GW_WORKERS_MAX)

struct shared {
	_Atomic int64_t silent_ms[PLACES];
	_Atomic int64_t replaced_at[PLACES]; /* Unix seconds; 0: never */
	_Atomic uint64_t count[GW_PROCESS_N];
};

struct gw_pulse {
	struct shared *m;
};

enum dvt_code
gw_pulse_new(struct gw_pulse **out, struct dvt_err *err)
{
	struct gw_pulse *p = dvt_alloc(sizeof(*p));

	*out = NULL;
	p->m = mmap(NULL, sizeof(*p->m), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p->m == MAP_FAILED) {
		free(p);
		return dvt_fail_errno(err, "pulse of processes");
	}
	*out = p;
	return DVT_OK;
}

void
gw_pulse_free(struct gw_pulse *p)
{
	if (p == NULL)
		return;
	munmap(p->m, sizeof(*p->m));
	free(p);
}

static unsigned
place(enum gw_process which, unsigned index)
{
	return which == GW_PROCESS_FEED ? 0 : 1 + index % GW_WORKERS_MAX;
}

void
gw_pulse_silent(struct gw_pulse *p, enum gw_process which, unsigned index,
    int64_t silent_ms)
{
	p->m->silent_ms[place(which, index)] = silent_ms;
}

void
gw_pulse_replaced(
    struct gw_pulse *p, enum gw_process which, unsigned index, int64_t now_s)
{
	p->m->replaced_at[place(which, index)] = now_s;
	p->m->count[which]++;
}

bool
gw_pulse_is_silent(const struct gw_pulse *p, unsigned worker)
{
	return p->m->silent_ms[place(GW_PROCESS_WORKER, worker)] >=
	       GW_PULSE_SILENT_MS;
}

uint64_t
gw_pulse_count(const struct gw_pulse *p, enum gw_process which)
{
	return p->m->count[which];
}

/* Of one place; false: it is well. */
static bool
doubt_of(const struct gw_pulse *p, unsigned at, int64_t now_s,
    char text[GW_PULSE_TEXT])
{
	int64_t silent_s = p->m->silent_ms[at] / 1000;
	int64_t replaced_at = p->m->replaced_at[at];
	char name[24] = "feed";

	if (at > 0)
		(void)snprintf(name, sizeof(name), "worker-%u", at);
	if (silent_s * 1000 >= GW_PULSE_SILENT_MS)
		(void)snprintf(text, GW_PULSE_TEXT,
		    "%s does not answer for %" PRId64 " s", name, silent_s);
	else if (replaced_at != 0 && now_s - replaced_at <= GW_PULSE_TOLD_S)
		(void)snprintf(text, GW_PULSE_TEXT,
		    "%s did not answer and was replaced %" PRId64 " s ago",
		    name, now_s > replaced_at ? now_s - replaced_at : 0);
	else
		return false;
	return true;
}

const char *
gw_pulse_doubt(const struct gw_pulse *p, unsigned workers, unsigned i,
    int64_t now_s, char text[GW_PULSE_TEXT])
{
	for (unsigned at = 0; at <= workers; at++)
		if (doubt_of(p, at, now_s, text) && i-- == 0)
			return text;
	return NULL;
}
