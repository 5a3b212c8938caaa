/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections for the control plane's host names: handed on by the name in
 * their ClientHello, hello first, and never looked into. So a device needs
 * one address. Until its client has gone on after the first answer such a
 * connection counts as half-open, and has as long as a handshake.
 */
#include "gateway/conn_priv.h"

#include "proto/hello.h"

#include <strings.h>

#define HANDSHAKE_MS 10000 /* to the client's second word */

bool
gw_conn_pass_is_meant(const struct gw_conn *c, struct dvt_span hello)
{
	const struct gw_settings *s = &c->w->program->settings;
	struct dvt_hello h;

	if (s->pass_names_n == 0 ||
	    dvt_hello_parse(hello, &h, NULL) != DVT_OK ||
	    h.server_name[0] == '\0')
		return false;
	for (size_t i = 0; i < s->pass_names_n; i++)
		if (strcasecmp(h.server_name, s->pass_names[i]) == 0)
			return true;
	return false;
}

void
gw_conn_pass(struct gw_conn *c, struct dvt_span hello)
{
	dvt_edge_pass(c->ssl, hello);
	c->passed = true;
	c->stage = GW_OPEN;
	dvt_timer_start(c->timer, HANDSHAKE_MS);
	if (gw_conn_relay_in(c))
		gw_conn_rearm(c);
}

void
gw_conn_pass_heard(struct gw_conn *c)
{
	if (!c->half || !c->up_spoke)
		return;
	gw_conn_half_end(c);
	c->w->passed++;
	dvt_timer_stop(c->timer);
}
