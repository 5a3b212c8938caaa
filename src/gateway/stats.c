/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/stats.h"

#include "ipc/fields.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define CELLS (DVT_OUTCOME_N * DVT_HR_N)

void
gw_stats_put(const struct gw_stats *s, struct dvt_buf *out)
{
	const uint64_t *cell = &s->handshakes[0][0];
	size_t n = 0;

	for (size_t i = 0; i < CELLS; i++)
		n += cell[i] != 0;
	dvt_put_u64(out, s->conns);
	dvt_put_u64(out, s->sessions);
	dvt_put_u64(out, s->resident_bytes);
	dvt_put_u64(out, s->failing);
	dvt_put_u64(out, s->stalled);
	dvt_put_u64(out, s->passed);
	dvt_put_count(out, n);
	for (size_t i = 0; i < CELLS; i++) {
		if (cell[i] == 0)
			continue;
		dvt_put_u64(out, i);
		dvt_put_u64(out, cell[i]);
	}
}

enum dvt_code
gw_stats_get(struct dvt_span body, struct gw_stats *out, struct dvt_err *err)
{
	struct dvt_fields in = dvt_fields_of(body);
	size_t n;

	*out = (struct gw_stats){
	    .conns = dvt_get_u64(&in, UINT32_MAX),
	    .sessions = dvt_get_u64(&in, UINT32_MAX),
	    .resident_bytes = dvt_get_u64(&in, UINT64_MAX),
	    .failing = dvt_get_u64(&in, UINT64_MAX),
	};
	out->stalled = dvt_get_u64(&in, UINT64_MAX);
	out->passed = dvt_get_u64(&in, UINT32_MAX);
	n = dvt_get_count(&in, CELLS);
	for (size_t i = 0; i < n; i++) {
		size_t at = (size_t)dvt_get_u64(&in, CELLS - 1);

		out->handshakes[at / DVT_HR_N][at % DVT_HR_N] = dvt_get_u64(
		    &in, UINT64_MAX);
	}
	return dvt_fields_end(&in, "stats", err);
}

void
gw_stats_fold(struct gw_stats *into, const struct gw_stats *from)
{
	for (size_t o = 0; o < DVT_OUTCOME_N; o++)
		for (size_t r = 0; r < DVT_HR_N; r++)
			into->handshakes[o][r] += from->handshakes[o][r];
	into->conns += from->conns;
	into->sessions += from->sessions;
	into->resident_bytes += from->resident_bytes;
	into->failing |= from->failing;
	into->stalled += from->stalled;
	into->passed += from->passed;
}

int
gw_memory_open(void)
{
	return open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
}

uint64_t
gw_memory_bytes(int fd)
{
	char text[128];
	ssize_t n = fd >= 0 ? pread(fd, text, sizeof(text) - 1, 0) : -1;
	char *second;

	if (n <= 0)
		return 0;
	text[n] = '\0';
	second = strchr(text, ' '); /* size, then resident, in pages */
	return second == NULL
		   ? 0
		   : strtoull(second, NULL, 10) * (unsigned)getpagesize();
}
