/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device listener's TLS: the same chain choice and records as at an edge
 * (loop/edge_tls.h), fed by core. A client certificate is asked for but not
 * demanded: a device with a one-time secret has none yet.
 */
#include "base/log.h"
#include "dovetaild/front_priv.h"
#include "dovetaild/policy.h"
#include "loop/edge_tls.h"

#include <openssl/x509.h>

#include <stdlib.h>

struct front_tls {
	struct dvt_edge *edge;
	bool has_set;
};

static void
on_record(void *user, const struct dvt_handshake *h)
{
	front_record(user, h);
}

enum dvt_code
front_tls_new(struct front *f, struct dvt_err *err)
{
	struct dvt_edge_config config = {.listener = "main",
	    .flags = DVT_EDGE_CERT_OPTIONAL | DVT_EDGE_MEND,
	    .ticket_key = f->program->ticket_key,
	    .memory = f->program->memory,
	    .record = on_record,
	    .user = f};
	struct front_tls *t = dvt_alloc(sizeof(*t));
	enum dvt_code rc = dvt_edge_new(&config, &t->edge, err);

	if (rc != DVT_OK) {
		free(t);
		return rc;
	}
	f->tls = t;
	return DVT_OK;
}

void
front_tls_free(struct front_tls *t)
{
	if (t == NULL)
		return;
	dvt_edge_free(t->edge);
	free(t);
}

bool
front_tls_update(struct front *f)
{
	struct dvt_edge_set *set = dvt_edge_set_new();
	struct dvt_err err = {0};

	dvt_edge_set_whole(set);
	if (!dvt_config_bool(f->program->config, POLICY_STRICT))
		dvt_edge_set_lax(set);
	dvt_edge_set_feed(set, f->feed, f->name, front_key_find, f,
	    dvt_loop_time(f->loop).wall_s);
	if (dvt_edge_set_seal(set, &err) != DVT_OK) {
		log_event(LOG_ERR, "front.credentials.none", LE(&err));
		dvt_edge_set_unref(set);
		return false;
	}
	dvt_edge_use(f->tls->edge, set, f->feed);
	f->tls->has_set = true;
	return true;
}

SSL_CTX *
front_tls_ctx(struct front *f)
{
	return f->tls->has_set ? dvt_edge_ctx(f->tls->edge) : NULL;
}

const struct dvt_edge_set *
front_tls_set(struct front *f)
{
	return f->tls->has_set ? dvt_edge_set_used(f->tls->edge) : NULL;
}

void
front_tls_prepare(void *front, SSL *ssl, const struct dvt_addr *peer)
{
	struct front *f = front;

	dvt_edge_attach(f->tls->edge, ssl, peer);
}

bool
front_tls_proxied(void *front, const struct dvt_addr *from)
{
	const struct front *f = front;
	const char *item;
	char host[DVT_ADDR_TEXT];

	(void)dvt_addr_host(from, host);
	for (size_t i = 0; (item = dvt_config_item(f->program->config,
				"device.proxyFrom", i)) != NULL;
	     i++)
		if (strcmp(item, host) == 0)
			return true;
	return false;
}

void
front_tls_closing(void *front, SSL *ssl, enum dvt_edge_how how)
{
	(void)front;
	dvt_edge_end(ssl, how);
}

void
front_tls_served(SSL *ssl)
{
	const struct dvt_edge_peer *peer = ssl == NULL ? NULL
						       : dvt_edge_peer(ssl);

	if (peer == NULL || !peer->done)
		return;
	if (peer->unlisted) /* core decides who it is */
		dvt_edge_admit(ssl, peer->common_name);
	dvt_edge_settle(ssl);
}

void
front_tls_peer(SSL *ssl, char fingerprint[DVT_DIGEST_HEX], struct dvt_buf *der)
{
	const struct dvt_edge_peer *peer;
	X509 *cert;

	fingerprint[0] = '\0';
	if (ssl == NULL || (cert = SSL_get0_peer_certificate(ssl)) == NULL)
		return;
	peer = dvt_edge_peer(ssl);
	if (peer == NULL || !peer->done)
		return;
	dvt_x509_fingerprint(cert, fingerprint);
	if (der != NULL && dvt_x509_to_der(cert, der, NULL) != DVT_OK)
		fingerprint[0] = '\0';
}
