/* SPDX-License-Identifier: Apache-2.0 */
/* The ClientHello: who it may be, and which chain it is shown. */
#include "loop/edge_conn.h"

#include "base/mem.h"
#include "proto/stack.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <string.h>
#include <strings.h>

/* --- who it may be, before it has proven anything --- */

static bool
is_device(const struct dvt_edge *e, const char *id)
{
	return e->feed != NULL && id[0] != '\0' &&
	       dvt_feed_get(e->feed, DVT_FEED_DEVICE, id) != NULL;
}

static bool
same_name(const char *a, const char *b)
{
	return a != NULL && strcasecmp(a, b) == 0;
}

/* It is for everybody, though a device may be called like its first label. */
static bool
is_of_the_edge(const struct dvt_edge_conn *c, const char *name)
{
	struct dvt_choice_policy p = dvt_edge_set_choice_policy(c->set);
	size_t n;
	const struct dvt_offer *o = dvt_edge_set_offers(c->set, &n);

	for (size_t i = 0; i < n; i++) {
		X509 *leaf = dvt_edge_set_chain(c->set, i)->leaf;

		for (size_t k = 0; k < o[i].names.n; k++)
			if (same_name(o[i].names.v[k], name))
				return true;
		if (X509_check_host(
			leaf, name, 0, X509_CHECK_FLAG_NO_WILDCARDS, NULL) == 1)
			return true;
	}
	return same_name(p.next_name, name) || same_name(p.trial_name, name);
}

static enum dvt_confidence
name_device(const struct dvt_edge_conn *c, char id[DVT_DEVICE_ID_MAX + 1])
{
	const char *name = c->hello.server_name;
	size_t n = strcspn(name, ".");

	if (is_device(c->edge, c->ticket_device)) {
		memcpy(id, c->ticket_device, sizeof(c->ticket_device));
		return DVT_CONF_TICKET;
	}
	if (n > 0 && n <= DVT_DEVICE_ID_MAX && name[n] == '.') {
		memcpy(id, name, n);
		id[n] = '\0';
		if (is_device(c->edge, id) && !is_of_the_edge(c, name))
			return DVT_CONF_NAME;
	}
	id[0] = '\0';
	if (c->edge->memory == NULL)
		return DVT_CONF_NONE;
	return dvt_edge_memory_device_at(
	    c->edge->memory, c->rec.address, c->rec.at, id);
}

/* --- which chain --- */

static struct dvt_texts
texts(const struct dvt_feed_list *l)
{
	return (struct dvt_texts){(const char *const *)l->v, l->n};
}

static void
ask_device(const struct dvt_edge_conn *c, struct dvt_choice_in *in)
{
	const struct dvt_feed_entry *e = NULL;

	in->device.confidence = c->peer.confidence;
	if (c->edge->feed != NULL && c->peer.device[0] != '\0')
		e = dvt_feed_get(
		    c->edge->feed, DVT_FEED_DEVICE, c->peer.device);
	if (e == NULL) {
		in->device.confidence = DVT_CONF_NONE;
		return;
	}
	in->device.trust_known = e->u.device.trust_known;
	in->device.trust = texts(&e->u.device.trust);
	in->device.proven = texts(&e->u.device.proven);
	in->device.refused = texts(&e->u.device.refused);
}

struct dvt_edge_client
dvt_edge_client_of(const struct dvt_edge_conn *c)
{
	bool named = c->ticket_device[0] != '\0' || c->edge->memory == NULL;

	return (struct dvt_edge_client){
	    .address = c->rec.address,
	    .print = c->hello.print,
	    .device = c->ticket_device,
	    .devices = named ? 1
			     : dvt_edge_memory_devices(
				   c->edge->memory, c->rec.address, c->rec.at),
	};
}

static enum dvt_code
choose(struct dvt_edge_conn *c, bool recall, struct dvt_choice *out,
    struct dvt_err *err)
{
	struct dvt_choice_memory memory[DVT_OFFERS_MAX];
	const char *roots[DVT_OFFERS_MAX];
	struct dvt_edge_client who;
	struct dvt_choice_in in = {
	    .listener = c->edge->listener,
	    .policy = dvt_edge_set_choice_policy(c->set),
	    .memory = memory,
	};

	in.offers = dvt_edge_set_offers(c->set, &in.offers_n);
	if (c->hello.server_name[0] != '\0')
		in.hello.server_name = c->hello.server_name;
	in.hello.authorities.v = roots;
	in.hello.authorities.n = dvt_edge_set_authorities(
	    c->set, c->hello.authorities, roots);
	in.hello.no_ec = !c->hello.ecdsa;
	in.hello.no_rsa = !c->hello.rsa;
	in.hello.max_fragment = (size_t)c->hello.max_fragment;
	ask_device(c, &in);
	if (recall && c->edge->memory != NULL) {
		who = dvt_edge_client_of(c);
		in.memory_n = dvt_edge_memory_recall(c->edge->memory, &who,
		    in.offers, in.offers_n, c->rec.at, memory, &in.turn);
	}
	return dvt_chain_choose(&in, out, err);
}

/* What the print says of the stack, and the stack of the device's clock. */
static void
note_stack(struct dvt_edge_conn *c)
{
	const struct dvt_stack *stack = dvt_stack_of(c->hello.print);

	if (stack == NULL)
		return;
	(void)dvt_copy_str(c->rec.stack, sizeof(c->rec.stack), stack->name);
	c->rec.has_clock = stack->clock && !c->hello.tls13;
	if (c->rec.has_clock)
		c->rec.clock_s = c->hello.clock - c->rec.at;
}

void
dvt_edge_hello(struct dvt_edge_conn *c, struct dvt_span msg)
{
	struct dvt_choice_policy p;

	if (dvt_hello_parse(msg, &c->hello, NULL) != DVT_OK)
		return; /* OpenSSL will say why */
	c->hello_seen = true;
	(void)dvt_copy_str(
	    c->rec.name, sizeof(c->rec.name), c->hello.server_name);
	(void)dvt_copy_str(c->rec.print, sizeof(c->rec.print), c->hello.print);
	note_stack(c);
	if (c->set == NULL)
		return;
	p = dvt_edge_set_choice_policy(c->set);
	c->peer.probe = same_name(p.next_name, c->hello.server_name) ||
			same_name(p.trial_name, c->hello.server_name);
}

/*
 * Before OpenSSL looks at extensions. A name that can only be answered by a
 * chain we do not hold ends here: with another chain the probe would lie.
 */
int
dvt_edge_hello_cb(SSL *ssl, int *alert, void *arg)
{
	struct dvt_edge_conn *c = dvt_edge_conn_of(ssl);
	struct dvt_choice choice;

	(void)arg;
	if (c == NULL || c->set == NULL || !c->hello_seen) {
		*alert = c != NULL && c->set != NULL ? SSL_AD_DECODE_ERROR
						     : SSL_AD_INTERNAL_ERROR;
		return SSL_CLIENT_HELLO_ERROR;
	}
	if (choose(c, false, &choice, NULL) != DVT_OK) {
		*alert = SSL_AD_UNRECOGNIZED_NAME;
		return SSL_CLIENT_HELLO_ERROR;
	}
	dvt_edge_ticket_hello(c, ssl);
	return SSL_CLIENT_HELLO_SUCCESS;
}

static void
note_shown(struct dvt_edge_conn *c, enum dvt_chain_why why)
{
	const struct dvt_offer *o = c->shown->offer;

	c->peer.shown = true;
	c->peer.root = o->root;
	c->peer.form = o->form;
	(void)dvt_copy_str(
	    c->rec.credential, sizeof(c->rec.credential), o->credential);
	(void)dvt_copy_str(
	    c->rec.serial, sizeof(c->rec.serial), c->shown->serial);
	(void)dvt_copy_str(c->rec.root, sizeof(c->rec.root), o->root);
	(void)dvt_copy_str(
	    c->rec.form, sizeof(c->rec.form), dvt_chain_form_name(o->form));
	(void)dvt_copy_str(
	    c->rec.why, sizeof(c->rec.why), dvt_chain_why_name(why));
}

/* After the ticket was read, before the cipher of TLS 1.2 is chosen. */
int
dvt_edge_cert_cb(SSL *ssl, void *arg)
{
	struct dvt_edge_conn *c = dvt_edge_conn_of(ssl);
	struct dvt_choice choice;

	(void)arg;
	if (c == NULL || c->set == NULL)
		return 0;
	if (c->shown != NULL) /* the second hello of one handshake */
		return 1;
	c->peer.confidence = name_device(c, c->peer.device);
	if (choose(c, true, &choice, NULL) != DVT_OK)
		return 0;
	c->hello.authorities = (struct dvt_span){NULL, 0};
	c->shown = dvt_edge_set_chain(c->set, choice.order[0]);
	if (SSL_use_cert_and_key(
		ssl, c->shown->leaf, c->shown->key, c->shown->rest, 1) != 1) {
		c->shown = NULL;
		return 0;
	}
	note_shown(c, choice.why);
	return 1;
}
