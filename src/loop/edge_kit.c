/* SPDX-License-Identifier: Apache-2.0 */
#include "loop/edge_kit.h"

#include "base/mem.h"

#include <openssl/err.h>

#include <stdio.h>
#include <string.h>

/* Two roots for servers, one for devices, and what hangs below them. */
struct testca root_old, sub_old, leaf_old;
struct testca root_new, sub_new, leaf_new;
X509 *cross;
struct testca root_dev, dev[3], expired, early, is_ca, wrong_eku;
struct testca sub_dev, below; /* a device with an issuing CA of its own */
struct testca pinned, stranger, foreign_root, foreign;
char fp_old[DVT_DIGEST_HEX], fp_new[DVT_DIGEST_HEX];

struct dvt_feed *feed;
struct dvt_edge_memory *memory;
struct dvt_edge *edge;
struct dvt_handshake last; /* record */
int records;
int64_t clock_s = TESTCA_NOW;
SSL_SESSION *ticket; /* the client's newest */

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
	return clock_s;
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
	sub_dev = testca_make(&root_dev, "CN=Device Issuing", 0);
	below = testca_leaf(&sub_dev, "CN=dev-b", DVT_EKU_CLIENT);
	foreign_root = testca_make(NULL, "CN=Foreign", -1);
	foreign = testca_leaf(&foreign_root, "CN=dev-0", DVT_EKU_CLIENT);
	dvt_x509_fingerprint(root_old.cert, fp_old);
	dvt_x509_fingerprint(root_new.cert, fp_new);
}

void
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

void
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

void
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

struct dvt_edge_set *
set_begin(const char *roots)
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
	return s;
}

void
set_use(struct dvt_edge_set *s)
{
	assert_int_equal(dvt_edge_set_seal(s, NULL), DVT_OK);
	dvt_edge_use(edge, s, feed);
}

void
use(const char *roots)
{
	set_use(set_begin(roots));
}

int
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
	feed_device("dev-b", below.cert, "active", false);
	feed_device("dev-p", pinned.cert, "active", true);
	dvt_feed_position_set(feed, 1, 1);
	assert_int_equal(dvt_edge_memory_new(1024, &memory, NULL), DVT_OK);
	c.memory = memory;
	assert_int_equal(dvt_edge_new(&c, &edge, NULL), DVT_OK);
	return 0;
}

int
world_drop(void **state)
{
	struct testca *all[] = {&root_old, &sub_old, &leaf_old, &root_new,
	    &sub_new, &leaf_new, &root_dev, &dev[0], &dev[1], &dev[2], &expired,
	    &early, &is_ca, &wrong_eku, &pinned, &stranger, &sub_dev, &below,
	    &foreign_root, &foreign};

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
		if (c->above != NULL)
			SSL_CTX_add1_chain_cert(ctx, c->above->cert);
	}
	if (c->keep) {
		SSL_CTX_set_session_cache_mode(
		    ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
		SSL_CTX_sess_set_new_cb(ctx, on_ticket);
	}
	if (c->ciphers != NULL)
		assert_int_equal(SSL_CTX_set_cipher_list(ctx, c->ciphers), 1);
	if (c->algorithms != NULL)
		assert_int_equal(
		    SSL_CTX_set1_sigalgs_list(ctx, c->algorithms), 1);
	return ctx;
}

void
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

void
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
bool
pair_talk(struct pair *p)
{
	char b = 'x';

	return p->client_ok && p->server_ok &&
	       SSL_write(p->client, &b, 1) == 1 &&
	       SSL_read(p->server, &b, 1) == 1 &&
	       SSL_write(p->server, &b, 1) == 1 &&
	       SSL_read(p->client, &b, 1) == 1;
}

void
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

bool
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

const int versions[2] = {TLS1_2_VERSION, TLS1_3_VERSION};
