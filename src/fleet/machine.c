/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/machine.h"

#include <string.h>

bool
dvt_machine_final(const struct dvt_machine *m, int state)
{
	return state >= 0 && (m->finals >> state & 1) != 0;
}

static const char *
name_in(const char *const *names, size_t n, int i)
{
	return i >= 0 && (size_t)i < n ? names[i] : "?";
}

static bool
applies(
    const struct dvt_machine *m, const struct dvt_edge *e, int state, int event)
{
	if (e->event != event)
		return false;
	if (e->from == DVT_ANY)
		return !dvt_machine_final(m, state);
	return e->from == state;
}

enum dvt_code
dvt_machine_step(const struct dvt_machine *m, int state, int event,
    const void *facts, const struct dvt_edge **edge, struct dvt_err *err)
{
	const char *guard = NULL;

	*edge = NULL;
	for (size_t i = 0; i < m->edges_n; i++) {
		const struct dvt_edge *e = &m->edges[i];

		if (!applies(m, e, state, event))
			continue;
		if (e->guard == NULL || e->guard->holds(facts)) {
			*edge = e;
			return DVT_OK;
		}
		guard = e->guard->name;
	}
	return dvt_fail(err, DVT_E_CONFLICT, "%s: '%s' does not take '%s'%s%s",
	    m->name, name_in(m->states, m->states_n, state),
	    name_in(m->events, m->events_n, event),
	    guard == NULL ? "" : " unless ", guard == NULL ? "" : guard);
}

const struct dvt_machine *
dvt_machine_find(const char *name)
{
	for (size_t i = 0; i < dvt_machines_n; i++)
		if (strcmp(dvt_machines[i]->name, name) == 0)
			return dvt_machines[i];
	return NULL;
}

/* --- printing --- */

static const char *
from_name(const struct dvt_machine *m, const struct dvt_edge *e)
{
	return e->from == DVT_ANY ? "*"
				  : name_in(m->states, m->states_n, e->from);
}

/* Our names and reasons: no quotes or backslashes in them. */
static void
put_member(struct dvt_buf *out, const char *key, const char *text)
{
	if (text == NULL || text[0] == '\0')
		dvt_buf_printf(out, "\"%s\": null", key);
	else
		dvt_buf_printf(out, "\"%s\": \"%s\"", key, text);
}

static void
put_edge_json(
    const struct dvt_machine *m, const struct dvt_edge *e, struct dvt_buf *out)
{
	dvt_buf_puts(out, "{");
	put_member(out, "from", from_name(m, e));
	dvt_buf_puts(out, ", ");
	put_member(out, "event", name_in(m->events, m->events_n, e->event));
	dvt_buf_puts(out, ", ");
	put_member(out, "to", name_in(m->states, m->states_n, e->to));
	dvt_buf_puts(out, ", ");
	put_member(out, "guard", e->guard == NULL ? NULL : e->guard->name);
	dvt_buf_puts(out, ", ");
	put_member(out, "action", name_in(m->actions, m->actions_n, e->action));
	dvt_buf_puts(out, ", ");
	put_member(out, "why", e->why);
	dvt_buf_puts(out, "}");
}

void
dvt_machine_json(const struct dvt_machine *m, struct dvt_buf *out)
{
	size_t n = 0;

	dvt_buf_puts(out, "{");
	put_member(out, "name", m->name);
	dvt_buf_puts(out, ", ");
	put_member(out, "title", m->title);
	dvt_buf_puts(out, ", ");
	put_member(out, "first", name_in(m->states, m->states_n, m->first));
	dvt_buf_puts(out, ", \"states\": [");
	for (size_t i = 0; i < m->states_n; i++) {
		if ((m->unused >> i & 1) != 0)
			continue;
		dvt_buf_printf(out, "%s{\"name\": \"%s\", \"final\": %s}",
		    n++ == 0 ? "" : ", ", m->states[i],
		    dvt_machine_final(m, (int)i) ? "true" : "false");
	}
	dvt_buf_puts(out, "], \"edges\": [");
	for (size_t i = 0; i < m->edges_n; i++) {
		dvt_buf_puts(out, i == 0 ? "" : ", ");
		put_edge_json(m, &m->edges[i], out);
	}
	dvt_buf_puts(out, "]}");
}

/* Widest text of a column, its heading included. */
static size_t
wider(size_t width, const char *text)
{
	size_t n = strlen(text);

	return n > width ? n : width;
}

static const char *
cell(const struct dvt_machine *m, const struct dvt_edge *e, int column)
{
	switch (column) {
	case 0:
		return from_name(m, e);
	case 1:
		return name_in(m->events, m->events_n, e->event);
	case 2:
		return e->guard == NULL ? "-" : e->guard->name;
	case 3:
		return name_in(m->states, m->states_n, e->to);
	case 4:
		return e->action == 0
			   ? "-"
			   : name_in(m->actions, m->actions_n, e->action);
	default:
		return e->why;
	}
}

#define COLUMNS 6
static const char *const headings[COLUMNS] = {
    "FROM", "EVENT", "GUARD", "TO", "ACTION", "WHY"};

void
dvt_machine_text(const struct dvt_machine *m, struct dvt_buf *out)
{
	size_t width[COLUMNS];

	for (int c = 0; c < COLUMNS; c++) {
		width[c] = strlen(headings[c]);
		for (size_t i = 0; i < m->edges_n; i++)
			width[c] = wider(width[c], cell(m, &m->edges[i], c));
	}
	for (int c = 0; c + 1 < COLUMNS; c++)
		dvt_buf_printf(out, "%-*s  ", (int)width[c], headings[c]);
	dvt_buf_printf(out, "%s\n", headings[COLUMNS - 1]);
	for (size_t i = 0; i < m->edges_n; i++) {
		for (int c = 0; c + 1 < COLUMNS; c++)
			dvt_buf_printf(out, "%-*s  ", (int)width[c],
			    cell(m, &m->edges[i], c));
		dvt_buf_printf(out, "%s\n", m->edges[i].why);
	}
}

/* Mermaid takes no dashes in the name of a state. */
static void
put_id(struct dvt_buf *out, const char *name)
{
	for (; *name != '\0'; name++)
		dvt_buf_putc(out, *name == '-' ? '_' : *name);
}

static void
put_picture_edge(const struct dvt_machine *m, const struct dvt_edge *e,
    int from, struct dvt_buf *out)
{
	dvt_buf_puts(out, "    ");
	put_id(out, name_in(m->states, m->states_n, from));
	dvt_buf_puts(out, " --> ");
	put_id(out, name_in(m->states, m->states_n, e->to));
	dvt_buf_printf(out, ": %s", name_in(m->events, m->events_n, e->event));
	if (e->guard != NULL)
		dvt_buf_printf(out, " [%s]", e->guard->name);
	dvt_buf_puts(out, "\n");
}

/* Edges that lead back to where they began stand in the table alone. */
static void
put_picture(const struct dvt_machine *m, struct dvt_buf *out)
{
	dvt_buf_puts(out, "```mermaid\nstateDiagram-v2\n");
	for (size_t i = 0; i < m->states_n; i++)
		if (strchr(m->states[i], '-') != NULL &&
		    (m->unused >> i & 1) == 0) {
			dvt_buf_printf(
			    out, "    state \"%s\" as ", m->states[i]);
			put_id(out, m->states[i]);
			dvt_buf_puts(out, "\n");
		}
	dvt_buf_puts(out, "    [*] --> ");
	put_id(out, name_in(m->states, m->states_n, m->first));
	dvt_buf_puts(out, "\n");
	for (size_t i = 0; i < m->edges_n; i++) {
		const struct dvt_edge *e = &m->edges[i];

		if (e->from != DVT_ANY && e->from != e->to)
			put_picture_edge(m, e, e->from, out);
	}
	for (size_t i = 0; i < m->states_n; i++)
		if (dvt_machine_final(m, (int)i)) {
			dvt_buf_puts(out, "    ");
			put_id(out, m->states[i]);
			dvt_buf_puts(out, " --> [*]\n");
		}
	dvt_buf_puts(out, "```\n");
}

void
dvt_machine_page(const struct dvt_machine *m, struct dvt_buf *out)
{
	dvt_buf_printf(out,
	    "<!-- SPDX-License-Identifier: Apache-2.0 -->\n"
	    "<!-- Drawn from the table by build/src/fleet/draw_machines; not "
	    "edited by hand. -->\n"
	    "# %s\n\n%s\n\n",
	    m->name, m->title);
	put_picture(m, out);
	dvt_buf_puts(out,
	    "\nThe first row whose guard holds is taken; no row means "
	    "`conflict`. `*`: every state that is not final.\n\n"
	    "| from | event | guard | to | action | why |\n"
	    "|---|---|---|---|---|---|\n");
	for (size_t i = 0; i < m->edges_n; i++) {
		dvt_buf_puts(out, "|");
		for (int c = 0; c < COLUMNS; c++)
			dvt_buf_printf(out, " %s |", cell(m, &m->edges[i], c));
		dvt_buf_puts(out, "\n");
	}
}
