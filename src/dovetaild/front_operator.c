/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS of the operators' listener: the one chain of dvt_chain_plain(), and no
 * client certificate asked for (browsers would prompt).
 */
#include "dovetaild/front_priv.h"
#include "fleet/chain_plain.h"
#include "loop/edge_set.h"
#include "pki/ssl_err.h"

static const struct dvt_edge_chain *
chosen(const struct dvt_edge_set *set)
{
	struct dvt_choice_policy policy = dvt_edge_set_choice_policy(set);
	int64_t not_after[DVT_OFFERS_MAX];
	const struct dvt_offer *offers;
	size_t n, best;

	offers = dvt_edge_set_offers(set, &n);
	for (size_t i = 0; i < n; i++)
		not_after[i] = dvt_edge_set_chain(set, i)->not_after;
	best = dvt_chain_plain(
	    offers, not_after, n, &policy, dvt_time_now().wall_s);
	return best == n ? NULL : dvt_edge_set_chain(set, best);
}

static int
on_cert(SSL *ssl, void *user)
{
	const struct dvt_edge_set *set = front_tls_set(user);
	const struct dvt_edge_chain *chain = set == NULL ? NULL : chosen(set);

	return chain != NULL && SSL_use_cert_and_key(ssl, chain->leaf,
				    chain->key, chain->rest, 1) == 1;
}

enum dvt_code
front_operator_ctx(struct front *f, SSL_CTX **out, struct dvt_err *err)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	*out = NULL;
	if (ctx == NULL ||
	    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set1_groups_list(ctx, "X25519:P-256") != 1 ||
	    SSL_CTX_set_num_tickets(ctx, 0) != 1) {
		SSL_CTX_free(ctx);
		return dvt_fail_ssl(err, DVT_E_SYSTEM, "operators' TLS");
	}
	(void)SSL_CTX_set_options(
	    ctx, SSL_OP_NO_TICKET | SSL_OP_IGNORE_UNEXPECTED_EOF);
	(void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_cert_cb(ctx, on_cert, f);
	*out = ctx;
	return DVT_OK;
}
