/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An edge's cache file: any bytes as they are, and any bytes under a signature
 * that holds, as a broken disk or another version of ours would leave them.
 * Refused, or taken and written back to a file that is taken again.
 */
#include "fuzz.h"
#include "pki/key.h"
#include "proto/feed_cache.h"
#include "wire/base64.h"

static EVP_PKEY *
own_key(void)
{
	static EVP_PKEY *key;

	if (key == NULL)
		FUZZ_ASSERT(dvt_key_new(DVT_KEY_P256, 0, &key, NULL) == DVT_OK);
	return key;
}

static void
taken_again(const struct dvt_feed_cache *meta, const struct dvt_feed *f)
{
	struct dvt_feed_cache again;
	struct dvt_feed *back = NULL;
	struct dvt_buf b;

	dvt_buf_init(&b, 1 << 24);
	FUZZ_ASSERT(
	    dvt_feed_cache_format(meta, f, own_key(), &b, NULL) == DVT_OK);
	FUZZ_ASSERT(dvt_feed_cache_parse(dvt_buf_span(&b), own_key(), &again,
			&back, NULL) == DVT_OK);
	FUZZ_ASSERT(again.sequence == meta->sequence);
	for (int k = 0; k < DVT_FEED_KIND_N; k++)
		FUZZ_ASSERT(dvt_feed_count(f, (enum dvt_feed_kind)k) ==
			    dvt_feed_count(back, (enum dvt_feed_kind)k));
	dvt_feed_free(back);
	dvt_buf_fini(&b);
}

static void
read_it(struct dvt_span file)
{
	struct dvt_feed_cache meta;
	struct dvt_feed *f = NULL;

	if (dvt_feed_cache_parse(file, own_key(), &meta, &f, NULL) == DVT_OK)
		taken_again(&meta, f);
	else
		FUZZ_ASSERT(f == NULL && meta.sequence == 0);
	dvt_feed_free(f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct dvt_buf file, sig;

	read_it((struct dvt_span){p, n});
	dvt_buf_init(&file, n + 4096);
	dvt_buf_init(&sig, 1024);
	dvt_buf_put(&file, p, n);
	if (n > 0 && p[n - 1] != '\n')
		dvt_buf_putc(&file, '\n');
	FUZZ_ASSERT(
	    dvt_key_sign(own_key(), dvt_buf_span(&file), &sig, NULL) == DVT_OK);
	dvt_buf_puts(&file, "{\"signature\":\"");
	dvt_base64_encode(&file, dvt_buf_span(&sig), 0);
	dvt_buf_puts(&file, "\"}\n");
	read_it(dvt_buf_span(&file));
	dvt_buf_fini(&file);
	dvt_buf_fini(&sig);
	return 0;
}
