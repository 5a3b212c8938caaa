/* SPDX-License-Identifier: Apache-2.0 */
/* What the settings mean together, beyond the type of each. */
#include "dovetaild/policy.h"
#include "dovetaild/settings.h"
#include "loop/addr.h"
#include "pki/csr.h"

static enum dvt_code
check_address(const struct dvt_config *c, const char *key, struct dvt_err *err)
{
	const char *text = dvt_config_text(c, key);
	struct dvt_addr address;
	enum dvt_code rc;

	if (text == NULL)
		return DVT_OK;
	if ((rc = dvt_addr_parse(text, &address, err)) != DVT_OK)
		dvt_err_prefix(err, "%s", key);
	return rc;
}

/* Each will be asked for in a certificate. */
static enum dvt_code
check_name(const char *key, const char *name, struct dvt_err *err)
{
	struct dvt_buf san;
	enum dvt_code rc;

	if (name == NULL)
		return DVT_OK;
	dvt_buf_init(&san, 8192);
	if ((rc = dvt_csr_san_put(&name, 1, &san, err)) != DVT_OK)
		dvt_err_prefix(err, "%s", key);
	dvt_buf_fini(&san);
	return rc;
}

static enum dvt_code
check_names(const struct dvt_config *c, const char *key, struct dvt_err *err)
{
	enum dvt_code rc = DVT_OK;
	const char *name;

	for (size_t i = 0;
	     rc == DVT_OK && (name = dvt_config_item(c, key, i)) != NULL; i++)
		rc = check_name(key, name, err);
	return rc;
}

/* They are compared as text: as inet_ntop(3) writes them. */
static enum dvt_code
check_proxies(const struct dvt_config *c, struct dvt_err *err)
{
	static const char key[] = "device.proxyFrom";
	const char *item;

	for (size_t i = 0; (item = dvt_config_item(c, key, i)) != NULL; i++) {
		char host[DVT_ADDR_TEXT], text[DVT_ADDR_TEXT + 8];
		struct dvt_addr a;

		(void)snprintf(text, sizeof(text),
		    strchr(item, ':') != NULL ? "[%.100s]:1" : "%.100s:1",
		    item);
		if (item[0] == '/' || dvt_addr_parse(text, &a, err) != DVT_OK)
			return dvt_fail(err, DVT_E_INPUT,
			    "%s: %.100s is no address", key, item);
		if (strcmp(dvt_addr_host(&a, host), item) != 0)
			return dvt_fail(err, DVT_E_INPUT,
			    "%s: write %.100s as %s", key, item, host);
	}
	return DVT_OK;
}

enum dvt_code
settings_check(const struct dvt_config *c, struct dvt_err *err)
{
	static const char *const addresses[] = {
	    "device.listen", "operator.listen"};
	static const char *const lists[] = {"edge.names", "est.names"};
	static const char *const names[] = {"edge.next", "edge.trial"};
	enum dvt_code rc = policy_check(c, err);

	if (rc == DVT_OK)
		rc = check_proxies(c, err);
	for (size_t i = 0; rc == DVT_OK && i < DVT_COUNT(addresses); i++)
		rc = check_address(c, addresses[i], err);
	for (size_t i = 0; rc == DVT_OK && i < DVT_COUNT(lists); i++)
		rc = check_names(c, lists[i], err);
	for (size_t i = 0; rc == DVT_OK && i < DVT_COUNT(names); i++)
		rc = check_name(names[i], dvt_config_text(c, names[i]), err);
	return rc;
}
