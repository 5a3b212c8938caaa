/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory: small allocations either succeed or end the process, after a line
 * in the log (what survives a power cut survives this). Sizes chosen by a
 * peer meet a limit in base/limits.h before they come here.
 */
#ifndef DVT_BASE_MEM_H
#define DVT_BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

void *dvt_alloc(size_t n); /* zeroed; never NULL; free() it */
void *dvt_alloc_array(size_t n, size_t size);
void *dvt_realloc(void *p, size_t n); /* never NULL */
char *dvt_strdup(const char *s);      /* NULL gives NULL */
char *dvt_strndup(const void *p, size_t n);
char *dvt_asprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void dvt_out_of_memory(void); /* what a failed one ends in */
void dvt_cleanse(void *p, size_t n); /* not optimised away */

/* Copy into a fixed array; 0, or -1 when it does not fit (then @to is ""). */
int dvt_copy_str(char *to, size_t size, const char *from);

/*
 * Secret bytes. There is no formatter for it and log_event() does not take
 * it; dvt_secret_free() wipes it.
 */
struct dvt_secret {
	uint8_t *p;
	size_t n;
};
void dvt_secret_set(struct dvt_secret *s, const void *p, size_t n);
void dvt_secret_free(struct dvt_secret *s);

/*
 * Arena: allocations of one request or one tick, freed as a whole.
 */
struct dvt_arena {
	struct dvt_arena_block *head;
};
void *dvt_arena_alloc(struct dvt_arena *a, size_t n); /* zeroed, aligned 16 */
char *dvt_arena_strdup(struct dvt_arena *a, const char *s);
char *dvt_arena_printf(struct dvt_arena *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void dvt_arena_free(struct dvt_arena *a); /* all of it; @a is empty again */

#endif
