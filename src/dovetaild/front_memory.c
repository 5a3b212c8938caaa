/* SPDX-License-Identifier: Apache-2.0 */
/* What a front answers without asking: CA certificates and trust bundles. */
#include "base/log.h"
#include "dovetaild/front_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

static void
forget_bundles(struct front *f)
{
	for (size_t i = 0; i < f->bundle_n; i++)
		free(f->bundle[i].line);
	f->bundle_n = 0;
}

/* "VERSION BRIDGE LINE\n", oldest first. */
static void
take_bundles(struct front *f, struct dvt_span body)
{
	forget_bundles(f);
	while (body.n > 0 && f->bundle_n < FRONT_BUNDLES_MAX) {
		const uint8_t *end = memchr(body.p, '\n', body.n);
		size_t n = end == NULL ? body.n : (size_t)(end - body.p);
		char *line = dvt_strndup(body.p, n);
		struct front_bundle *b = &f->bundle[f->bundle_n];
		char *rest, *envelope;

		b->version = strtoll(line, &rest, 10);
		b->bridge = strtol(rest, &envelope, 10) != 0;
		if (*envelope == ' ') {
			b->line = dvt_strdup(envelope + 1);
			f->bundle_n++;
		}
		free(line);
		body = dvt_span_from(body, n + 1);
	}
}

void
front_publish(struct front *f, const struct publish *p)
{
	if (strcmp(p->what, PUBLISH_CACERTS) == 0) {
		dvt_buf_reset(&f->cacerts);
		dvt_buf_put_span(&f->cacerts, p->body);
	} else if (strcmp(p->what, PUBLISH_BUNDLES) == 0) {
		take_bundles(f, p->body);
	} else {
		log_event(LOG_WARNING, "front.published.unknown",
		    LS("what", p->what));
	}
}

bool
front_bundles(struct front *f, int64_t after, struct dvt_buf *out)
{
	for (size_t i = 0; i < f->bundle_n; i++) {
		const struct front_bundle *b = &f->bundle[i];

		if (b->version <= after || (!b->bridge && i + 1 < f->bundle_n))
			continue;
		dvt_buf_puts(out, b->line);
		dvt_buf_putc(out, '\n');
	}
	return f->bundle_n > 0;
}
