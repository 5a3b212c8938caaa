/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of `dovetaild --init`, for init_*.c only. */
#ifndef DVT_DOVETAILD_INIT_PRIV_H
#define DVT_DOVETAILD_INIT_PRIV_H

#include "dovetaild/program.h"
#include "dovetaild/signer.h"
#include "pki/bundle.h"

#define INIT_NAMES_MAX 16
#define INIT_ROOT_KEYS 3 /* offline trust-signing keys; 2 must agree */
#define INIT_THRESHOLD 2
#define INIT_TOKEN_MAX 80

#define INIT_DAY_S  86400
#define INIT_YEAR_S (365 * (int64_t)INIT_DAY_S)

struct init_options {
	const char *dir;
	const char *fleet;
	const char *industry; /* "consumer" or "industrial" */
	bool root_offline;
	const char *edge_name[INIT_NAMES_MAX];
	size_t edge_n;
	const char *front_name[INIT_NAMES_MAX];
	size_t front_n;
	const char *next_name, *trial_name;
	const char *listen;
	const char *tokens; /* file, or NULL */
	const char *unlock;
	const char *user; /* account of the children; NULL: not root, ours */
	int64_t fronts;
	int64_t checkin_s; /* 0: as the settings say */
	const char *set[32];
	size_t set_n;
};

struct init_authority {
	int64_t id;
	const char *name;
	char subject[DVT_NAME_MAX + 64];
	int64_t parent; /* 0: a root */
	bool use_server, use_device;
	bool key_offline;
	X509 *cert;
	struct signer_out out;
};
#define INIT_ROOT_ID      1
#define INIT_SERVER_CA_ID 2
#define INIT_DEVICE_CA_ID 3
#define INIT_AUTHORITIES  3

struct init_front {
	char name[24];
	struct dvt_buf key_pem;
	struct dvt_buf der;
	struct dvt_buf chain_pem;
};

/* All that init makes before it writes a row. */
struct init {
	struct init_options options;
	char dir[1024]; /* absolute */
	bool dir_made;  /* it was not there before */
	bool begun;     /* it is ours to fill, and to empty */
	int64_t now;
	struct dvt_buf settings;   /* text of the settings file */
	struct dvt_buf trust_list; /* policy.h; "" any */
	struct signer *signer;
	struct init_authority authority[INIT_AUTHORITIES];
	struct sign_profile profile[3]; /* device, gateway, front */
	EVP_PKEY *root_key[INIT_ROOT_KEYS];
	EVP_PKEY *online_key;
	struct dvt_buf online_wrapped;
	struct dvt_bundle bundle;
	struct dvt_buf bundle_line;
	struct init_front front[DVT_FRONTS_MAX];
	char token[3][INIT_TOKEN_MAX]; /* operator, approver, admin */
};
extern const char *const init_token_names[3];

/* --- init_args.c --- */
DVT_MUST_USE enum dvt_code init_arguments(
    int argc, char **argv, struct init_options *o, struct dvt_err *err);
/* --- init_user.c --- */
/* The account is there, and gets to where the folder will be. */
DVT_MUST_USE enum dvt_code init_user(struct init *i, struct dvt_err *err);
/* Last of all: what the children write is theirs, the rest root's. */
DVT_MUST_USE enum dvt_code init_hand_over(struct init *i, struct dvt_err *err);
/* --- init_files.c --- */
DVT_MUST_USE enum dvt_code init_layout(struct init *i, struct dvt_err *err);
/* Before a folder is made: a setting nobody can use leaves nothing behind. */
DVT_MUST_USE enum dvt_code init_settings(struct init *i, struct dvt_err *err);
DVT_MUST_USE enum dvt_code init_settings_out(
    struct init *i, struct dvt_err *err);
DVT_MUST_USE enum dvt_code init_keys_out(struct init *i, struct dvt_err *err);
DVT_MUST_USE enum dvt_code init_tokens_out(struct init *i, struct dvt_err *err);
/* --- init_pki.c --- */
DVT_MUST_USE enum dvt_code init_authorities(
    struct init *i, struct dvt_err *err);
DVT_MUST_USE enum dvt_code init_profiles(struct init *i, struct dvt_err *err);
DVT_MUST_USE enum dvt_code init_fronts(struct init *i, struct dvt_err *err);
/* --- init_trust.c --- */
DVT_MUST_USE enum dvt_code init_trust(struct init *i, struct dvt_err *err);
/* --- init_rows.c --- */
DVT_MUST_USE enum dvt_code init_rows(struct init *i, struct dvt_err *err);

#endif
