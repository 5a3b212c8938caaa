/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/pulse.h"

void
dvt_pulse_init(struct dvt_pulse *p, int64_t limit_ms, int64_t now_ms)
{
	*p = (struct dvt_pulse){0};
	if (limit_ms == 0)
		return;
	p->beat_ms = limit_ms / DVT_PULSE_BEATS;
	if (p->beat_ms == 0)
		p->beat_ms = 1;
	p->due_ms = now_ms + p->beat_ms;
}

int64_t
dvt_pulse_due(const struct dvt_pulse *p)
{
	return p->beat_ms == 0 ? INT64_MAX : p->due_ms;
}

bool
dvt_pulse_beat(struct dvt_pulse *p, int64_t now_ms)
{
	if (now_ms < dvt_pulse_due(p))
		return false;
	p->anew = now_ms - p->due_ms > p->beat_ms * DVT_PULSE_BEATS / 2;
	p->due_ms = now_ms + p->beat_ms;
	return true;
}

enum dvt_pulse_state
dvt_pulse_look(const struct dvt_pulse *p, struct dvt_pulse_child *c)
{
	unsigned most = c->busy ? DVT_PULSE_BUSY_BEATS : DVT_PULSE_BEATS;

	if (!c->asked) {
		c->asked = true;
		c->silent = 0;
		return DVT_PULSE_ASK;
	}
	if (p->anew)
		c->silent = 0;
	else if (c->silent <= most)
		c->silent++;
	return c->silent == most ? DVT_PULSE_HANGS : DVT_PULSE_SILENT;
}

void
dvt_pulse_busy(struct dvt_pulse_child *c)
{
	c->busy = true;
}

void
dvt_pulse_answered(struct dvt_pulse_child *c)
{
	*c = (struct dvt_pulse_child){0};
}
