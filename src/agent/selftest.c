/* SPDX-License-Identifier: Apache-2.0 */
/* selftest: each thing an update needs is tried once; the state is untouched.
 */
#include "agent/program.h"

#include "device/generation.h"
#include "pki/key.h"
#include "pki/x509.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define SCRATCH_DIR  "selftest"
#define SCRATCH_FILE SCRATCH_DIR "/probe"
#define SCRATCH_KEY  "file:" SCRATCH_DIR "/key.pem"

static enum dvt_code
test_disk(struct program *p, struct dvt_err *err)
{
	const struct dvt_fs *fs = p->env.fs;
	void *ctx = p->env.fs_ctx;
	struct dvt_span bytes = DVT_SPAN_LIT("selftest\n");
	struct dvt_buf back;
	enum dvt_code rc;

	dvt_buf_init(&back, 64);
	if ((rc = fs->write_new(ctx, SCRATCH_FILE, bytes, 0600, err)) ==
		DVT_OK &&
	    (rc = fs->sync_dir(ctx, SCRATCH_DIR, err)) == DVT_OK &&
	    (rc = fs->read(ctx, SCRATCH_FILE, &back, err)) == DVT_OK &&
	    !dvt_span_eq(dvt_buf_span(&back), bytes))
		rc = dvt_fail(
		    err, DVT_E_SYSTEM, "what is read is not what was written");
	dvt_buf_fini(&back);
	(void)!fs->unlink(ctx, SCRATCH_FILE, NULL);
	return rc;
}

static enum dvt_code
test_key(struct program *p, struct dvt_err *err)
{
	const struct dvt_keys *keys = p->env.keys;
	char uri[DVT_KEY_URI_MAX + 1];
	EVP_PKEY *key = NULL;
	enum dvt_code rc;

	rc = keys->make(p->env.keys_ctx, DVT_KEY_P256, SCRATCH_KEY, uri, err);
	if (rc != DVT_OK)
		return rc;
	rc = keys->open(p->env.keys_ctx, uri, &key, err);
	EVP_PKEY_free(key);
	if (rc == DVT_OK)
		rc = keys->wipe(p->env.keys_ctx, uri, err);
	else
		(void)!keys->wipe(p->env.keys_ctx, uri, NULL);
	return rc;
}

static enum dvt_code
test_credential(struct program *p, struct dvt_err *err)
{
	const struct dvt_agent_credential *c = dvt_agent_credential(p->agent);
	int64_t now = dvt_agent_wall_s(p->agent, dvt_time_now());

	if (c == NULL)
		return dvt_fail(err, DVT_E_ABSENT, "not enrolled yet");
	if (dvt_x509_not_after(c->chain.cert[0]) < now)
		return dvt_fail(err, DVT_E_DENIED,
		    "the certificate has ended: recover, or enroll again");
	return dvt_key_matches(c->key, c->chain.cert[0], err);
}

static enum dvt_code
test_trust(struct program *p, struct dvt_err *err)
{
	const struct dvt_agent_trust *t = dvt_agent_trust(p->agent);

	if (t == NULL || dvt_trust_count(t->trust) == 0)
		return dvt_fail(err, DVT_E_ABSENT, "no anchors are held");
	return DVT_OK;
}

static enum dvt_code
test_hook(struct program *p, struct dvt_err *err)
{
	const char *hook = dvt_config_text(p->config, "agent.hook");

	if (hook != NULL && access(hook, X_OK) != 0)
		return dvt_fail_errno(err, "%s", hook);
	return DVT_OK;
}

static enum dvt_code
test_addresses(struct program *p, struct dvt_err *err)
{
	const char *text = dvt_config_text(p->config, "agent.server");
	struct dvt_addr to[DVT_IO_ADDRS];
	enum dvt_code rc = DVT_OK;
	size_t n;

	if (text == NULL)
		return dvt_fail(err, DVT_E_INPUT, "agent.server is not set");
	for (size_t i = 0; rc == DVT_OK && text != NULL; i++) {
		rc = dvt_addr_resolve(text, to, DVT_IO_ADDRS, &n, err);
		text = dvt_config_item(p->config, "agent.edge", i);
	}
	return rc;
}

enum dvt_code
agent_selftest(struct program *p, struct dvt_err *err)
{
	static const struct {
		const char *name;
		enum dvt_code (*run)(struct program *p, struct dvt_err *err);
	} tests[] = {
	    {"disk",       test_disk      },
	    {"key store",  test_key       },
	    {"credential", test_credential},
	    {"trust",      test_trust     },
	    {"hook",       test_hook      },
	    {"addresses",  test_addresses },
	};
	enum dvt_code rc, worst = DVT_OK;
	struct dvt_err why;

	if ((rc = agent_open(p, err)) != DVT_OK)
		return rc;
	rc = p->env.fs->mkdir(p->env.fs_ctx, SCRATCH_DIR, 0700, err);
	if (rc != DVT_OK && rc != DVT_E_CONFLICT)
		return rc;
	for (size_t i = 0; i < DVT_COUNT(tests); i++) {
		rc = tests[i].run(p, &why);
		printf("%-11s %s%s\n", tests[i].name,
		    rc == DVT_OK ? "ok" : "FAILED: ",
		    rc == DVT_OK ? "" : why.text);
		if (rc != DVT_OK && worst == DVT_OK)
			worst = dvt_fail(err, rc, "selftest: %s: %s",
			    tests[i].name, why.text);
	}
	(void)!p->env.fs->rmdir(p->env.fs_ctx, SCRATCH_DIR, NULL);
	return worst;
}
