/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole world for an agent, in memory: disk, clock, authorities, a control
 * plane and an edge that answer its wants. Linked by tests only; whatever goes
 * wrong in the world itself ends the test program.
 */
#ifndef DVT_DEVICE_TESTWORLD_H
#define DVT_DEVICE_TESTWORLD_H

#include "device/agent.h"
#include "device/keyfile.h"
#include "durable/memfs.h"
#include "pki/bundle.h"
#include "pki/testca.h"

#define TESTWORLD_KEYS   6
#define TESTWORLD_VALUES 3
#define TESTWORLD_STORY  16384 /* bytes */

/* Made once for all worlds of a program. */
struct testpki {
	struct testca old_root, new_root; /* of edges and fronts */
	struct testca device_old, device_new;
	struct testca edge_old, edge_new, front; /* leaves; front: old root */
	struct testca device;                    /* under device_old */
	EVP_PKEY *sign_root[3], *sign_online;
	EVP_PKEY *stock[TESTWORLD_KEYS]; /* for new keys of the device */
	EVP_PKEY *stranger;
};
struct testpki *testpki_get(void); /* the same each time */
void testpki_free(void);

/* What the control plane does wrong, each time it is asked. */
enum testfault {
	FAULT_NONE,
	FAULT_UNREACHED,
	FAULT_SILENT, /* it did what was asked, the answer is lost */
	FAULT_HTML,
	FAULT_OTHER_KEY,
	FAULT_OTHER_SUBJECT,
	FAULT_LACKS_NAME,
	FAULT_EXPIRED,
	FAULT_NOT_YET,
	FAULT_OTHER_CA,    /* not in the bundle's list */
	FAULT_SERVER_LEAF, /* for servers, not clients */
	FAULT_BUSY,        /* 503 */
	FAULT_EARLY,       /* 503: come back tomorrow */
	FAULT_DENIED,      /* 403 */
	FAULT_BROKEN_BUNDLE,
};

/* A configuration value as the control plane has it. */
struct testvalue {
	char name[DVT_CONFIG_NAME + 1];
	int64_t version, applied; /* applied: as the device told */
	uint8_t sealed[1024];
	size_t sealed_n;
	char certificate[DVT_DIGEST_HEX];
};

struct testworld {
	struct testpki *pki;
	struct dvt_memfs *disk;
	const struct dvt_fs *fs; /* another table over @disk, or NULL */
	struct dvt_keyfile keyfile;
	const struct dvt_keys *keys; /* another store than files, or NULL */
	void *keys_ctx;
	size_t stock_next;
	uint32_t dice;
	struct dvt_time now;
	int64_t
	    device_clock_s; /* the device's stands at this; 0: it is right */
	struct dvt_agent_config config;
	struct dvt_agent *agent; /* NULL: off */
	unsigned disk_failures;  /* steps that said so */

	/* control plane */
	int64_t bundle;         /* newest version: 1 old, 2 both, 3 new only */
	int64_t server_ahead_s; /* its clock is wrong by so much */
	/* its chain holds in [from, until), Unix seconds; 0: whenever asked */
	int64_t server_from_s, server_until_s;
	bool lists_issuing; /* bundles name both device CAs */
	char renew[32];     /* instruction out, or "" */
	char probe[32];
	char secret[32];      /* for first enrolment; "" none */
	bool secret_spent;    /* by one key, which may ask again */
	enum testfault fault; /* of EST, or of bundles */
	unsigned fault_left;  /* times more */
	enum testfault checkin_fault;
	unsigned checkin_fault_left;
	bool new_ca;                  /* it issues under device_new */
	char asked_subject[128];      /* in the last request */
	X509 *issued[TESTWORLD_KEYS]; /* all it ever issued, newest last */
	size_t issued_n;
	char confirmed[DVT_DIGEST_HEX]; /* last check-in came under it */
	char digest[DVT_DIGEST_HEX];    /* and told this of its anchors */
	size_t denied_n; /* edges refuse issued[0..] up to here */
	int64_t version;
	char done[256];       /* "id=outcome " of what was told */
	struct dvt_buf story; /* "Step->Outcome\n" as reported */
	unsigned checkins, certificates, bundles;

	struct testvalue value[TESTWORLD_VALUES];
	size_t value_n;
	bool no_lease;               /* 404, as one that does not know it */
	char leased[DVT_DIGEST_HEX]; /* key of the newest lease */
	unsigned leases, reseals;
	unsigned config_fault_left; /* lease and values are not reached */

	unsigned exchanges; /* with anybody, so far */
	unsigned lose_at;   /* that one is answered, and the answer lost */
	bool lose_ends;     /* and testworld_run() ends there */

	/* edge */
	bool trial_refused;
	bool edge_new;    /* shows the new chain at its main name */
	bool next_is_old; /* and the old one at its next name */
	unsigned trials, probes, refused;
	int hook_exit;
	unsigned hooks;
	int64_t told_trust;   /* version at the last post-trust */
	unsigned told_config; /* times on-config was run */
};

/* Adopted device, bundle 0, nothing asked; off. */
void testworld_init(struct testworld *w);
void testworld_init_empty(struct testworld *w); /* no credential */
void testworld_fini(struct testworld *w);

/* Likewise, before and after a case of cmocka's; *state is the world. */
int testworld_setup(void **state);
int testworld_setup_empty(void **state);
int testworld_teardown(void **state);
/* "Renew", as instruction @id. */
void testworld_ask_renew(struct testworld *w, const char *id);
/* Time goes by while it is off. */
void testworld_sleep(struct testworld *w, int64_t seconds);

/* Power on, open. */
void testworld_on(struct testworld *w);
enum dvt_code testworld_try_on(struct testworld *w, struct dvt_err *err);
void testworld_off(struct testworld *w); /* freeing is a power cut */

/**
 * testworld_run() - answer what it wants until @stop or @seconds have passed
 * @stop: may be NULL
 * Return: @stop was true. The disk being off ends it as well.
 */
bool testworld_run(struct testworld *w, int64_t seconds,
    bool (*stop)(const struct testworld *w));

/* A copy of an off world, to try something on. */
void testworld_copy(struct testworld *to, const struct testworld *from);
/* A copy that was on and ended within its first hook. */
void testworld_copy_in_hook(struct testworld *to, const struct testworld *from);

/* The time of everybody but the device, Unix seconds. */
int64_t testworld_true_s(const struct testworld *w);

bool testworld_has_told(const struct testworld *w, const char *line);
/* An operator gives a value, for the certificate that was confirmed last. */
void testworld_set_value(
    struct testworld *w, const char *name, const char *text);
/* What the control plane has opens with the credential in use now. */
bool testworld_value_opens(
    const struct testworld *w, const char *name, const char *text);
/* No update runs or is asked for, and the server has heard from the newest
 * certificate. */
bool testworld_is_renewed(const struct testworld *w);
/* It confirmed the newest bundle. */
bool testworld_is_trusting(const struct testworld *w);
/* The credential that is on now works at the edge and control plane: key and
 * leaf match, it was issued by them, and they are accepted. */
void testworld_check_works(struct testworld *w, const char *when);

#endif
