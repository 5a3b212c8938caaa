/* SPDX-License-Identifier: Apache-2.0 */
/* See canary.h. */
#include "device/canary.h"

#include "base/limits.h"
#include "pki/key.h"

bool
dvt_canary_lives(void)
{
	EVP_PKEY *made = NULL, *read = NULL;
	struct dvt_buf pem;
	bool lives;

	dvt_buf_init(&pem, DVT_KEY_PEM_MAX);
	lives = dvt_key_new(DVT_KEY_P256, 0, &made, NULL) == DVT_OK &&
		dvt_key_to_pem(made, &pem, NULL) == DVT_OK &&
		dvt_key_from_pem(dvt_buf_span(&pem), &read, NULL) == DVT_OK;
	EVP_PKEY_free(made);
	EVP_PKEY_free(read);
	dvt_buf_cleanse(&pem);
	dvt_buf_fini(&pem);
	return lives;
}

bool
dvt_canary_again(enum dvt_code rc, unsigned *sound, unsigned *tries)
{
	if (rc == DVT_OK || rc == DVT_E_SYSTEM || rc == DVT_E_ABSENT ||
	    rc == DVT_E_LIMIT || ++*tries > DVT_CANARY_TRIES)
		return false;
	if (dvt_canary_lives())
		(*sound)++;
	else
		*sound = 0;
	return *sound < 2;
}
