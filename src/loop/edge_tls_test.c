/* SPDX-License-Identifier: Apache-2.0 */
/* Live handshakes in memory between an edge and OpenSSL clients. */
#include "loop/edge_tls.h"

#include "base/mem.h"
#include "pki/testca.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include <cmocka.h>

#define DAY_S 86400

/* Two roots for servers, one for devices, and what hangs below them. */
static struct testca root_old, sub_old, leaf_old;
static struct testca root_new, sub_new, leaf_new;
static X509 *cross;
static struct testca root_dev, dev[3], expired, early, is_ca, wrong_eku;
static struct testca pinned, stranger, foreign_root, foreign;
static char fp_old[DVT_DIGEST_HEX], fp_new[DVT_DIGEST_HEX];

static struct dvt_feed *feed;
static struct dvt_edge_memory *memory;
static struct dvt_edge *edge;
static struct dvt_handshake last; /* record */
static int records;
static SSL_SESSION *ticket; /* the client's newest */

static void
on_record(void *user, const struct dvt_handshake *h)
{
	(void)user;
	last = *h;
	records++;
}

static int64_t
test_clock(void *user)
{
	(void)user;
	return TESTCA_NOW;
}

/* A leaf whose dates are @from and @to days from now. */
static struct testca
dated(int from, int to, bool ca, unsigned eku, const char *name)
{
	struct dvt_issue f = testca_leaf_fields(eku);
	struct testca t = testca_make(NULL, name, -1);

	f.not_before = TESTCA_NOW + (int64_t)from * DAY_S;
	f.not_after = TESTCA_NOW + (int64_t)to * DAY_S;
	if (ca) {
		f = testca_ca_fields(-1);
		f.eku = eku;
	}
	X509_free(t.cert);
	t.cert = testca_issue(&root_dev, name, t.key, f);
	return t;
}

static void
pki_make(void)
{
	root_old = testca_make(NULL, "CN=Old Root", -1);
	sub_old = testca_make(&root_old, "CN=Old Issuing", 0);
	leaf_old = testca_leaf(&sub_old, "CN=edge.example", DVT_EKU_SERVER);
	root_new = testca_make(NULL, "CN=New Root", -1);
	sub_new = testca_make(&root_new, "CN=New Issuing", 0);
	leaf_new = testca_leaf(&sub_new, "CN=edge.example", DVT_EKU_SERVER);
	cross = testca_cross(&root_new, &root_old);
	root_dev = testca_make(NULL, "CN=Device Root", -1);
	for (int i = 0; i < 3; i++) {
		char name[16];

		snprintf(name, sizeof(name), "CN=dev-%d", i);
		dev[i] = testca_leaf(&root_dev, name, DVT_EKU_CLIENT);
	}
	expired = dated(-9, -1, false, DVT_EKU_CLIENT, "CN=dev-0");
	early = dated(1, 9, false, DVT_EKU_CLIENT, "CN=dev-0");
	is_ca = dated(-1, 9, true, DVT_EKU_CLIENT, "CN=dev-0");
	wrong_eku = dated(-1, 9, false, DVT_EKU_SERVER, "CN=dev-0");
	stranger = testca_leaf(&root_dev, "CN=nobody", DVT_EKU_CLIENT);
	pinned = testca_make(NULL, "CN=pin", -1);
	foreign_root = testca_make(NULL, "CN=Foreign", -1);
	foreign = testca_leaf(&foreign_root, "CN=dev-0", DVT_EKU_CLIENT);
	dvt_x509_fingerprint(root_old.cert, fp_old);
	dvt_x509_fingerprint(root_new.cert, fp_new);
}

static void
feed_device(const char *id, X509 *cert, const char *state, bool pin)
{
	struct dvt_feed_entry *e = dvt_feed_entry_new(DVT_FEED_DEVICE, id, 1);
	char fp[DVT_DIGEST_HEX];

	dvt_x509_fingerprint(cert, fp);
	strcpy(e->u.device.state, state);
	if (pin)
		memcpy(e->u.device.pin, fp, sizeof(fp));
	else
		dvt_feed_list_add(&e->u.device.certificates, fp);
	dvt_feed_put(feed, e);
}

static void
feed_deny(X509 *cert, enum dvt_deny_reason why)
{
	char fp[DVT_DIGEST_HEX];
	struct dvt_feed_entry *e;

	dvt_x509_fingerprint(cert, fp);
	e = dvt_feed_entry_new(DVT_FEED_DENY, fp, 1);
	e->u.deny.reason = why;
	strcpy(e->u.deny.device, "dev-2");
	dvt_feed_put(feed, e);
}

static void
set_add(struct dvt_edge_set *s, const char *id, const struct testca *leaf,
    const struct testca *sub, const struct testca *root, X509 *crossed,
    enum dvt_slot slot, int generation)
{
	struct dvt_chain chain = testca_chain(
	    leaf->cert, sub->cert, root->cert);
	char fp[DVT_DIGEST_HEX];
	struct dvt_edge_credential c = {.id = id,
	    .listener = "main",
	    .slot = slot,
	    .generation = generation,
	    .chain = &chain,
	    .cross = crossed,
	    .key = leaf->key,
	    .root = fp};

	dvt_x509_fingerprint(root->cert, fp);
	assert_int_equal(dvt_edge_set_add(s, &c, TESTCA_NOW, NULL), DVT_OK);
	dvt_chain_fini(&chain);
}

/* @roots: "O" or "N" default, then next; "!" forced; "+" with cross. */
static void
use(const char *roots)
{
	struct dvt_edge_set *s = dvt_edge_set_new();
	struct dvt_feed_policy p = {
	    .next_name = "next.example", .trial_name = "trial.example"};

	set_add(s, "old", &leaf_old, &sub_old, &root_old, NULL,
	    DVT_SLOT_CURRENT, 1);
	set_add(s, "new", &leaf_new, &sub_new, &root_new,
	    strchr(roots, '+') != NULL ? cross : NULL, DVT_SLOT_NEXT, 2);
	dvt_edge_set_anchor(s, root_dev.cert);
	memcpy(p.default_root, roots[0] == 'O' ? fp_old : fp_new, 65);
	if (roots[1] == 'N')
		memcpy(p.next_root, fp_new, 65);
	p.forced = strchr(roots, '!') != NULL;
	if (roots[0] != '-')
		dvt_edge_set_policy(s, &p);
	assert_int_equal(dvt_edge_set_seal(s, NULL), DVT_OK);
	dvt_edge_use(edge, s, feed);
}

static int
world_make(void **state)
{
	static const uint8_t key[DVT_EDGE_TICKET_KEY] = {1, 2, 3};
	struct dvt_edge_config c = {.listener = "main",
	    .ticket_key = key,
	    .record = on_record,
	    .clock = test_clock};

	(void)state;
	pki_make();
	feed = dvt_feed_new();
	feed_device("dev-0", dev[0].cert, "active", false);
	feed_device("dev-1", dev[1].cert, "blocked", false);
	feed_device("dev-2", dev[2].cert, "active", false);
	feed_device("dev-p", pinned.cert, "active", true);
	dvt_feed_position_set(feed, 1, 1);
	assert_int_equal(dvt_edge_memory_new(1024, &memory, NULL), DVT_OK);
	c.memory = memory;
	assert_int_equal(dvt_edge_new(&c, &edge, NULL), DVT_OK);
	return 0;
}

static int
world_drop(void **state)
{
	struct testca *all[] = {&root_old, &sub_old, &leaf_old, &root_new,
	    &sub_new, &leaf_new, &root_dev, &dev[0], &dev[1], &dev[2], &expired,
	    &early, &is_ca, &wrong_eku, &pinned, &stranger, &foreign_root,
	    &foreign};

	(void)state;
	dvt_edge_free(edge);
	dvt_edge_memory_free(memory);
	dvt_feed_free(feed);
	SSL_SESSION_free(ticket);
	X509_free(cross);
	for (size_t i = 0; i < DVT_COUNT(all); i++)
		testca_fini(all[i]);
	return 0;
}

/* --- a client --- */

struct client {
	const struct testca *cert; /* NULL: none */
	const char *trusts;        /* "O", "N", "ON" */
	const char *name;
	int version; /* TLS1_2_VERSION, TLS1_3_VERSION */
	bool tells;  /* certificate_authorities */
	bool keep;   /* offers and keeps the ticket */
	const char *from;
	uint8_t fragment; /* RFC 6066 section 4; 0: not asked for */
};

static int
on_ticket(SSL *ssl, SSL_SESSION *s)
{
	(void)ssl;
	SSL_SESSION_free(ticket);
	ticket = s;
	return 1;
}

static SSL_CTX *
client_ctx(const struct client *c)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	X509_STORE *store = X509_STORE_new();
	STACK_OF(X509_NAME) *names = sk_X509_NAME_new_null();
	static struct testca *const roots[] = {&root_old, &root_new};

	SSL_CTX_set_min_proto_version(ctx, c->version);
	SSL_CTX_set_max_proto_version(ctx, c->version);
	for (int i = 0; i < 2; i++) {
		if (strchr(c->trusts, "ON"[i]) == NULL)
			continue;
		X509_STORE_add_cert(store, roots[i]->cert);
		sk_X509_NAME_push(names,
		    X509_NAME_dup(X509_get_subject_name(roots[i]->cert)));
	}
	X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(store), TESTCA_NOW);
	SSL_CTX_set_cert_store(ctx, store);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	if (c->tells)
		SSL_CTX_set0_CA_list(ctx, names);
	else
		sk_X509_NAME_pop_free(names, X509_NAME_free);
	if (c->cert != NULL) {
		SSL_CTX_use_certificate(ctx, c->cert->cert);
		SSL_CTX_use_PrivateKey(ctx, c->cert->key);
	}
	if (c->keep) {
		SSL_CTX_set_session_cache_mode(
		    ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
		SSL_CTX_sess_set_new_cb(ctx, on_ticket);
	}
	return ctx;
}

struct pair {
	SSL_CTX *ctx;
	SSL *client, *server;
	bool client_ok, server_ok;
};

static void
pair_begin(struct pair *p, const struct client *c)
{
	struct dvt_addr from;
	BIO *a, *b;

	memset(&last, 0, sizeof(last));
	records = 0;
	p->ctx = client_ctx(c);
	p->client = SSL_new(p->ctx);
	p->server = SSL_new(dvt_edge_ctx(edge));
	assert_int_equal(
	    dvt_addr_parse(
		c->from != NULL ? c->from : "192.0.2.1:7", &from, NULL),
	    DVT_OK);
	dvt_edge_attach(edge, p->server, &from);
	BIO_new_bio_pair(&a, 1 << 18, &b, 1 << 18);
	SSL_set_bio(p->client, a, a);
	SSL_set_bio(p->server, b, b);
	if (c->fragment != 0)
		SSL_set_tlsext_max_fragment_length(p->client, c->fragment);
	if (c->name != NULL)
		SSL_set_tlsext_host_name(p->client, c->name);
	if (c->keep && ticket != NULL)
		SSL_set_session(p->client, ticket);
	SSL_set_connect_state(p->client);
	SSL_set_accept_state(p->server);
}

static void
pair_open(struct pair *p, const struct client *c)
{
	pair_begin(p, c);
	for (int i = 0; i < 10; i++) {
		ERR_clear_error();
		p->client_ok = SSL_do_handshake(p->client) == 1;
		ERR_clear_error();
		p->server_ok = SSL_do_handshake(p->server) == 1;
	}
}

/* One byte each way, so that late refusals come to light. */
static bool
pair_talk(struct pair *p)
{
	char b = 'x';

	return p->client_ok && p->server_ok &&
	       SSL_write(p->client, &b, 1) == 1 &&
	       SSL_read(p->server, &b, 1) == 1 &&
	       SSL_write(p->server, &b, 1) == 1 &&
	       SSL_read(p->client, &b, 1) == 1;
}

static void
pair_close(struct pair *p)
{
	char b;

	ERR_clear_error();
	if (!p->server_ok || !p->client_ok)
		(void)SSL_read(p->server, &b, 1);
	SSL_free(p->server);
	/* else the client's ticket is spoilt */
	SSL_set_shutdown(p->client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(p->client);
	SSL_CTX_free(p->ctx);
	ERR_clear_error();
}

static bool
attempt(const struct client *c)
{
	struct pair p;
	bool ok;

	pair_open(&p, c);
	ok = pair_talk(&p);
	pair_close(&p);
	assert_int_equal(records, 1);
	return ok;
}

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

/* --- tests --- */

static void
a_known_device_comes_in_and_is_recorded(void **state)
{
	(void)state;
	use("ON");
	for (int v = 0; v < 2; v++) {
		struct client c = {.cert = &dev[0],
		    .trusts = "O",
		    .name = "edge.example",
		    .version = versions[v]};

		assert_true(attempt(&c));
		assert_int_equal(last.outcome, DVT_HS_OK);
		assert_string_equal(last.device, "dev-0");
		assert_string_equal(last.confidence, "certificate");
		assert_string_equal(last.credential, "old");
		assert_string_equal(last.root, fp_old);
		assert_string_equal(last.form, "pure");
		assert_string_equal(last.why, "default");
		assert_string_equal(last.name, "edge.example");
		assert_string_equal(last.address, "192.0.2.1");
		assert_string_equal(
		    last.protocol, v == 0 ? "TLSv1.2" : "TLSv1.3");
		assert_int_equal(strlen(last.certificate), 64);
		assert_int_equal(last.alert, -1);
		assert_true(last.duration_us > 0);
	}
}

static void
what_the_edge_refuses_it_names(void **state)
{
	struct row {
		const char *what;
		const struct testca *cert;
		enum dvt_hs_reason reason;
		int alert; /* in TLS 1.3 */
		const char *device;
	} rows[] = {
	    {"no certificate", NULL,          DVT_HR_NO_CERTIFICATE,  116, ""     },
	    {"blocked",        &dev[1],       DVT_HR_DENIED_BLOCKED,  42,  "dev-1"},
	    {"denied",         &dev[2],       DVT_HR_DENIED_REVOKED,  44,  "dev-2"},
	    {"expired",        &expired,      DVT_HR_EXPIRED,         45,  ""     },
	    {"not begun",      &early,        DVT_HR_NOT_YET_VALID,   42,  ""     },
	    {"a CA",           &is_ca,        DVT_HR_BAD_CERTIFICATE, 43,  ""     },
	    {"for servers",    &wrong_eku,    DVT_HR_BAD_CERTIFICATE, 43,  ""     },
	    {"unknown issuer", &foreign,      DVT_HR_UNKNOWN_CA,      48,  ""     },
	    {"self-signed",    &foreign_root, DVT_HR_UNKNOWN_CA,      48,  ""     },
	};

	(void)state;
	use("ON");
	feed_deny(dev[2].cert, DVT_DENY_REVOKED);
	for (size_t i = 0; i < DVT_COUNT(rows) * 2; i++) {
		struct row *r = &rows[i / 2];
		struct client c = {.cert = r->cert,
		    .trusts = "O",
		    .version = versions[i % 2],
		    .from = "198.51.100.1:1"};

		if (attempt(&c) || last.outcome != DVT_HS_EDGE_REFUSED ||
		    last.reason != r->reason || !last.alert_out ||
		    (i % 2 == 1 && last.alert != r->alert) ||
		    strcmp(last.device, r->device) != 0 ||
		    last.certificate[0] != '\0')
			fail_msg("%s: %s %s, alert %d, device '%s'", r->what,
			    dvt_outcome_name(last.outcome),
			    dvt_hs_reason_name(last.reason), last.alert,
			    last.device);
		if (r->reason != DVT_HR_NO_CERTIFICATE)
			assert_int_not_equal(last.x509_error, 0);
	}
}

static void
superseded_certificates_are_refused_here_and_pins_taken(void **state)
{
	struct client c = {
	    .cert = &dev[2], .trusts = "O", .version = TLS1_3_VERSION};

	(void)state;
	use("ON");
	feed_deny(dev[2].cert, DVT_DENY_SUPERSEDED);
	assert_false(attempt(&c));
	assert_int_equal(last.reason, DVT_HR_DENIED_SUPERSEDED);
	c.cert = &pinned;
	assert_true(attempt(&c));
	assert_string_equal(last.device, "dev-p");
	assert_string_equal(last.confidence, "certificate");
}

static void
a_device_that_rejects_us_gets_another_chain(void **state)
{
	(void)state;
	use("NN+");
	for (int v = 0; v < 2; v++) {
		struct client c = {.cert = &dev[0],
		    .trusts = "",
		    .version = versions[v],
		    .from = v == 0 ? "203.0.113.1:1" : "203.0.113.2:1"};
		static const char *const forms[] = {
		    "cross", "pure", "pure", "leaf", "leaf", "cross"};

		for (size_t i = 0; i < DVT_COUNT(forms); i++) {
			assert_false(attempt(&c));
			assert_int_equal(last.outcome, DVT_HS_DEVICE_REFUSED);
			assert_int_equal(last.reason, DVT_HR_UNKNOWN_CA);
			assert_int_equal(last.alert, 48);
			assert_false(last.alert_out);
			assert_string_equal(last.form, forms[i]);
			assert_string_equal(
			    last.root, i == 2 || i == 3 ? fp_old : fp_new);
			assert_string_equal(
			    last.why, i % 5 == 0 ? "default" : "memory");
		}
	}
}

static void
each_root_store_gets_in_at_once_with_the_cross_certificate(void **state)
{
	static const char *const trusts[] = {"O", "N", "ON"};

	(void)state;
	use("NN+");
	for (size_t i = 0; i < 6; i++) {
		struct client c = {.cert = &dev[0],
		    .trusts = trusts[i / 2],
		    .version = versions[i % 2],
		    .from = "203.0.113.9:1"};

		assert_true(attempt(&c));
		assert_string_equal(last.form, "cross");
		assert_string_equal(last.root, fp_new);
	}
}

static void
a_flight_fits_the_fragment_that_was_agreed_on(void **state)
{
	static const struct {
		uint8_t fragment;
		const char *form;
		bool again; /* it can put more together than it asked for */
	} rows[] = {
	    {TLSEXT_max_fragment_length_4096, "cross", false},
	    {TLSEXT_max_fragment_length_1024, "pure",  false},
	    {TLSEXT_max_fragment_length_512,  "leaf",  true },
	};
	struct pair p;

	(void)state;
	use("NN+");
	for (size_t i = 0; i < 2 * DVT_COUNT(rows); i++) {
		char from[] = "203.0.113.20:1";
		struct client c = {.cert = &dev[0],
		    .trusts = "N",
		    .version = versions[i % 2],
		    .fragment = rows[i / 2].fragment,
		    .from = from};

		from[11] = (char)('0' + i);
		pair_open(&p, &c);
		assert_int_equal(SSL_SESSION_get_max_fragment_length(
				     SSL_get_session(p.server)),
		    rows[i / 2].fragment);
		assert_int_equal(pair_talk(&p), !rows[i / 2].again);
		pair_close(&p);
		assert_string_equal(last.form, rows[i / 2].form);
		for (int more = 0; rows[i / 2].again && more < 4; more++)
			if (attempt(&c))
				break;
		assert_int_equal(last.outcome, DVT_HS_OK);
	}
}

static void
a_client_that_names_its_roots_is_shown_one_of_them(void **state)
{
	static const struct {
		const char *policy, *trusts;
		bool new_root;
	} rows[] = {
	    {"ON", "O",  false},
	    {"ON", "N",  true },
	    {"ON", "ON", false},
	    {"NN", "O",  false},
	    {"NN", "ON", true },
	};

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(rows); i++) {
		struct client c = {.cert = &dev[0],
		    .trusts = rows[i].trusts,
		    .version = TLS1_3_VERSION,
		    .tells = true};

		use(rows[i].policy);
		assert_true(attempt(&c));
		assert_string_equal(
		    last.root, rows[i].new_root ? fp_new : fp_old);
		assert_string_equal(last.form, "pure");
		assert_string_equal(last.why, "authorities");
	}
}

static void
probe_names_count_when_left_in_order(void **state)
{
	static const struct {
		const char *policy, *name;
		enum dvt_outcome outcome;
		const char *why;
	} rows[] = {
	    {"ON", "next.example",  DVT_HS_OK,             "next-name"},
	    {"NN", "trial.example", DVT_HS_OK,             "default"  },
	    {"NN", "edge.example",  DVT_HS_DEVICE_REFUSED, "default"  },
	};

	(void)state;
	for (size_t i = 0; i < DVT_COUNT(rows) * 2; i++) {
		struct client c = {.cert = &dev[0],
		    .trusts = "N",
		    .name = rows[i / 2].name,
		    .version = versions[i % 2]};
		struct pair p;
		char b;

		use(rows[i / 2].policy);
		pair_open(&p, &c);
		assert_true(p.client_ok && p.server_ok);
		assert_int_equal(records, 0);
		SSL_shutdown(p.client);
		assert_int_equal(SSL_read(p.server, &b, 1), 0);
		pair_close(&p);
		assert_int_equal(records, 1);
		assert_int_equal(last.outcome, rows[i / 2].outcome);
		assert_string_equal(last.why, rows[i / 2].why);
		assert_string_equal(last.root, fp_new);
	}
}

static void
a_next_name_without_its_chain_is_refused(void **state)
{
	struct client c = {.cert = &dev[0],
	    .trusts = "ON",
	    .name = "next.example",
	    .version = TLS1_3_VERSION};
	struct dvt_edge_set *s = dvt_edge_set_new();
	struct dvt_feed_policy p = {.next_name = "next.example"};

	(void)state;
	set_add(s, "old", &leaf_old, &sub_old, &root_old, NULL,
	    DVT_SLOT_CURRENT, 1);
	memcpy(p.default_root, fp_old, 65);
	memcpy(p.next_root, fp_new, 65);
	dvt_edge_set_policy(s, &p);
	assert_int_equal(dvt_edge_set_seal(s, NULL), DVT_OK);
	dvt_edge_use(edge, s, feed);
	assert_false(attempt(&c));
	assert_int_equal(last.alert, SSL_AD_UNRECOGNIZED_NAME);
	assert_int_equal(last.outcome, DVT_HS_EDGE_REFUSED);
}

static void
a_ticket_names_the_device_and_is_never_resumed(void **state)
{
	struct client c = {.cert = &dev[0],
	    .trusts = "O",
	    .version = TLS1_3_VERSION,
	    .keep = true,
	    .from = "203.0.113.77:1"};
	struct pair p;

	(void)state;
	use("ON");
	assert_true(attempt(&c)); /* gets one */
	assert_non_null(ticket);
	pair_open(&p, &c); /* shows it */
	assert_true(pair_talk(&p));
	assert_false(SSL_session_reused(p.client));
	pair_close(&p);
	assert_string_equal(last.confidence, "certificate");
	/* a rejection is named by it, the address being somewhere else */
	c.trusts = "";
	c.from = "203.0.113.78:1";
	assert_false(attempt(&c));
	assert_int_equal(last.outcome, DVT_HS_DEVICE_REFUSED);
	assert_string_equal(last.device, "dev-0");
	assert_string_equal(last.confidence, "ticket");
	/* without it, the only device at this address */
	c.keep = false;
	c.from = "203.0.113.77:9";
	assert_false(attempt(&c));
	assert_string_equal(last.device, "dev-0");
	assert_string_equal(last.confidence, "address");
}

static void
an_unlisted_certificate_waits_for_the_inventory(void **state)
{
	struct client c = {
	    .cert = &stranger, .trusts = "O", .version = TLS1_3_VERSION};
	struct pair p;
	char b = 'x';

	(void)state;
	use("ON");
	for (int admitted = 0; admitted < 2; admitted++) {
		pair_open(&p, &c);
		assert_true(p.client_ok && p.server_ok);
		assert_true(dvt_edge_peer(p.server)->unlisted);
		assert_string_equal(
		    dvt_edge_peer(p.server)->common_name, "nobody");
		assert_int_equal(SSL_write(p.client, &b, 1), 1);
		assert_int_equal(SSL_read(p.server, &b, 1), 1);
		assert_int_equal(records, 0);
		assert_int_equal(
		    dvt_edge_check(p.server), DVT_HR_UNKNOWN_DEVICE);
		if (admitted) {
			feed_device("dev-n", stranger.cert, "active", false);
			assert_int_equal(dvt_edge_check(p.server), DVT_HR_OK);
			dvt_edge_admit(p.server, "dev-n");
			dvt_edge_settle(p.server);
		} else {
			dvt_edge_admit(p.server, NULL);
		}
		pair_close(&p);
		assert_int_equal(records, 1);
		assert_int_equal(
		    last.reason, admitted ? DVT_HR_OK : DVT_HR_UNKNOWN_DEVICE);
		assert_string_equal(last.device, admitted ? "dev-n" : "");
	}
}

static void
ends_without_an_alert_count_as_well(void **state)
{
	static const struct {
		enum dvt_edge_how how;
		enum dvt_outcome half, done;
		enum dvt_hs_reason half_why, done_why;
		const char *from;
	} rows[] = {
	    {DVT_EDGE_CLOSED,  DVT_HS_DEVICE_REFUSED, DVT_HS_DEVICE_REFUSED,
             DVT_HR_CLOSED,								  DVT_HR_CLOSED, "203.0.113.201:1"},
	    {DVT_EDGE_RESET,   DVT_HS_DEVICE_REFUSED, DVT_HS_DEVICE_REFUSED,
             DVT_HR_RESET,								   DVT_HR_RESET,  "203.0.113.202:1"},
	    {DVT_EDGE_TIMEOUT, DVT_HS_NETWORK,        DVT_HS_OK,             DVT_HR_TIMEOUT,
             DVT_HR_OK,										     "203.0.113.203:1"},
	    {DVT_EDGE_LOCAL,   DVT_HS_NETWORK,        DVT_HS_OK,             DVT_HR_CLOSED,
             DVT_HR_OK,										     "203.0.113.204:1"},
	};

	(void)state;
	use("ON");
	for (size_t i = 0; i < DVT_COUNT(rows); i++) {
		struct client c = {.cert = &dev[0],
		    .trusts = "O",
		    .version = TLS1_3_VERSION,
		    .from = rows[i].from};
		struct pair p = {0};

		pair_open(&p, &c);
		dvt_edge_end(p.server, rows[i].how);
		pair_close(&p);
		assert_int_equal(records, 1);
		assert_int_equal(last.outcome, rows[i].done);
		assert_int_equal(last.reason, rows[i].done_why);
		/* and after our flight alone */
		pair_begin(&p, &c);
		p.client_ok = p.server_ok = false;
		SSL_do_handshake(p.client);
		SSL_do_handshake(p.server);
		dvt_edge_end(p.server, rows[i].how);
		pair_close(&p);
		assert_int_equal(records, 1);
		assert_int_equal(last.outcome, rows[i].half);
		assert_int_equal(last.reason, rows[i].half_why);
	}
}

static void
garbage_and_silence_do_no_harm(void **state)
{
	static const char *const first[] = {"", "\r\n",
	    "GET / HTTP/1.0\r\n\r\n",
	    "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03", "\x16\x03\x01\x40\x01",
	    "\x80\x2e\x01\x03\x01", "\x15\x03\x03\x00\x02\x02\x28"};

	(void)state;
	use("ON");
	for (size_t i = 0; i < DVT_COUNT(first); i++) {
		SSL *ssl = SSL_new(dvt_edge_ctx(edge));
		BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
		struct dvt_addr from;
		size_t n = i == 3 ? 10 : i == 6 ? 7 : strlen(first[i]);

		records = 0;
		assert_int_equal(
		    dvt_addr_parse("192.0.2.66:1", &from, NULL), DVT_OK);
		BIO_write(in, first[i], (int)n);
		BIO_set_mem_eof_return(in, 0);
		dvt_edge_attach(edge, ssl, &from);
		SSL_set_bio(ssl, in, out);
		assert_int_not_equal(SSL_accept(ssl), 1);
		ERR_clear_error();
		SSL_free(ssl);
		assert_in_range(records, 0, 1);
		if (records == 1)
			assert_int_not_equal(last.outcome, DVT_HS_OK);
	}
}

static void
without_an_inventory_the_common_name_names(void **state)
{
	struct client c = {
	    .cert = &stranger, .trusts = "O", .version = TLS1_3_VERSION};

	(void)state;
	use("ON");
	dvt_edge_use(edge,
	    dvt_edge_set_ref(
		(struct dvt_edge_set *)(uintptr_t)dvt_edge_set_used(edge)),
	    NULL);
	assert_true(attempt(&c));
	assert_string_equal(last.device, "nobody");
	assert_string_equal(last.confidence, "certificate");
}

static void
a_set_is_checked_before_it_is_used(void **state)
{
	struct dvt_chain good = testca_chain(leaf_old.cert, sub_old.cert, NULL);
	struct dvt_chain disorder = testca_chain(
	    leaf_old.cert, sub_new.cert, NULL);
	struct dvt_chain ca = testca_chain(sub_old.cert, NULL, NULL);
	struct {
		const struct dvt_chain *chain;
		EVP_PKEY *key;
		int64_t now;
		enum dvt_code rc;
	} rows[] = {
	    {&good,     leaf_old.key, TESTCA_NOW,                 DVT_OK        },
	    {&good,     leaf_new.key, TESTCA_NOW,                 DVT_E_CONFLICT},
	    {&disorder, leaf_old.key, TESTCA_NOW,                 DVT_E_INPUT   },
	    {&ca,       sub_old.key,  TESTCA_NOW,                 DVT_E_INPUT   },
	    {&good,     leaf_old.key, TESTCA_NOW + 400LL * DAY_S, DVT_E_INPUT   },
	    {&good,     leaf_old.key, TESTCA_NOW - 20LL * DAY_S,  DVT_E_INPUT   },
	};
	struct dvt_edge_set *s = dvt_edge_set_new();

	(void)state;
	assert_int_equal(dvt_edge_set_seal(s, NULL), DVT_E_ABSENT);
	dvt_edge_set_unref(s);
	s = dvt_edge_set_new();
	for (size_t i = 0; i < DVT_COUNT(rows); i++) {
		struct dvt_edge_credential c = {.id = "x",
		    .listener = "main",
		    .chain = rows[i].chain,
		    .key = rows[i].key};

		assert_int_equal(
		    dvt_edge_set_add(s, &c, rows[i].now, NULL), rows[i].rc);
	}
	/* the root is found among the anchors */
	dvt_edge_set_anchor(s, root_old.cert);
	assert_int_equal(dvt_edge_set_seal(s, NULL), DVT_OK);
	assert_string_equal(dvt_edge_set_chain(s, 0)->offer->root, fp_old);
	dvt_edge_set_unref(s);
	dvt_chain_fini(&good);
	dvt_chain_fini(&disorder);
	dvt_chain_fini(&ca);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_known_device_comes_in_and_is_recorded),
	    cmocka_unit_test(what_the_edge_refuses_it_names),
	    cmocka_unit_test(
		superseded_certificates_are_refused_here_and_pins_taken),
	    cmocka_unit_test(a_device_that_rejects_us_gets_another_chain),
	    cmocka_unit_test(
		each_root_store_gets_in_at_once_with_the_cross_certificate),
	    cmocka_unit_test(a_flight_fits_the_fragment_that_was_agreed_on),
	    cmocka_unit_test(
		a_client_that_names_its_roots_is_shown_one_of_them),
	    cmocka_unit_test(probe_names_count_when_left_in_order),
	    cmocka_unit_test(a_next_name_without_its_chain_is_refused),
	    cmocka_unit_test(a_ticket_names_the_device_and_is_never_resumed),
	    cmocka_unit_test(an_unlisted_certificate_waits_for_the_inventory),
	    cmocka_unit_test(ends_without_an_alert_count_as_well),
	    cmocka_unit_test(garbage_and_silence_do_no_harm),
	    cmocka_unit_test(without_an_inventory_the_common_name_names),
	    cmocka_unit_test(a_set_is_checked_before_it_is_used),
	};
	return cmocka_run_group_tests(tests, world_make, world_drop);
}
