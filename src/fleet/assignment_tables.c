/* SPDX-License-Identifier: Apache-2.0 */
/* The two tables of fleet/assignment.h. */
#include "fleet/assignment_priv.h"

#define NAME(id, name) name,
static const char *const states[] = {DVT_ASSIGNMENT_STATES(NAME)};
static const char *const events[] = {DVT_ASG_EVENTS(NAME)};
static const char *const actions[] = {DVT_ASG_ACTIONS(NAME)};

static bool
tries_left_holds(const void *p)
{
	const struct dvt_assignment_view *x = p;

	return x->row->tries + 1 < DVT_ASG_TRIES_MAX;
}

static bool
silent_holds(const void *p)
{
	const struct dvt_assignment_view *x = p;

	return x->f->last_seen_at + DVT_ASG_MISSED_PERIODS * x->f->period_s <=
	       x->now;
}

static bool
released_holds(const void *p)
{
	return ((const struct dvt_assignment_view *)p)->f->released;
}

static bool
loaded_holds(const void *p)
{
	return ((const struct dvt_assignment_view *)p)->f->bundle_confirmed;
}

static bool
not_loaded_holds(const void *p)
{
	const struct dvt_assignment_view *x = p;

	return x->f->management == DVT_MANAGED_CHECKIN &&
	       !x->f->bundle_confirmed;
}

static bool
loaded_and_proven_holds(const void *p)
{
	const struct dvt_assignment_view *x = p;

	return x->f->bundle_confirmed && x->f->proven;
}

static bool
loaded_or_no_checkin_holds(const void *p)
{
	const struct dvt_assignment_view *x = p;

	return x->f->bundle_confirmed ||
	       x->f->management != DVT_MANAGED_CHECKIN;
}

static bool
under_new_holds(const void *p)
{
	return ((const struct dvt_assignment_view *)p)->f->under_new;
}

static bool
under_old_holds(const void *p)
{
	return !under_new_holds(p);
}

/* Promise 1, for a device that does not check in. */
static bool
settled_holds(const void *p)
{
	const struct dvt_assignment_view *x = p;

	return x->f->management != DVT_MANAGED_CHECKIN &&
	       x->f->new_sessions >= 2 &&
	       x->f->old_seen_at + x->f->period_s <= x->now;
}

#define GUARD(id, text) static const struct dvt_guard id = {text, id##_holds};
GUARD(tries_left, "tries left")
GUARD(silent, "silent for 3 periods")
GUARD(released, "its turn has come")
GUARD(loaded, "loaded the new root")
GUARD(not_loaded, "new root not loaded")
GUARD(loaded_and_proven, "loaded and proven")
GUARD(loaded_or_no_checkin, "loaded, or does not check in")
GUARD(under_new, "under the new certificate")
GUARD(under_old, "under an old certificate")
GUARD(settled, "no check-in; two sessions new, none old for a period")

/* Short names keep a row on one line. */
#define WAIT  DVT_ASG_WAITING
#define TRIG  DVT_ASG_TRIGGERED
#define CSR   DVT_ASG_CSR
#define ISSU  DVT_ASG_ISSUED
#define TRIE  DVT_ASG_TRIED
#define SWIT  DVT_ASG_SWITCHED
#define CONF  DVT_ASG_CONFIRMED
#define FAIL  DVT_ASG_FAILED
#define UNRE  DVT_ASG_UNREACHABLE
#define OOB   DVT_ASG_OUT_OF_BAND
#define ESCA  DVT_ASG_ESCALATED
#define EXCE  DVT_ASG_EXCEPTED
#define PARK  DVT_ASG_PARKED
#define EV(x) DVT_EV_##x
#define DO(x) DVT_ASG_##x
#define STAY  DVT_ASG_DO_NOTHING

/* clang-format off */
static const struct dvt_edge server_edges[] = {
    {WAIT, EV(WAVE),    TRIG, NULL,                  DO(PUT_PROBE),  "its bundle is out"},
    {WAIT, EV(PROOF),   CONF, &loaded_or_no_checkin, DO(TAKE_MAIL),  "proof needs no turn"},
    {WAIT, EV(PROOF),   WAIT, NULL,                  STAY,           "kept in what it was seen to do"},
    {WAIT, EV(CHECKIN), CONF, &loaded_and_proven,    DO(TAKE_MAIL),  "proof needs no turn"},
    {WAIT, EV(CHECKIN), WAIT, NULL,                  STAY,           "not its turn"},
    {WAIT, EV(FAILED),  WAIT, NULL,                  STAY,           "told already"},
    {WAIT, EV(TIMEOUT), TRIG, &released,             DO(PUT_PROBE),  "tries again"},
    {WAIT, EV(TIMEOUT), WAIT, NULL,                  STAY,           "not its turn"},
    {WAIT, EV(PARK),    PARK, NULL,                  STAY,           "mended first when it returns"},

    {TRIG, EV(WAVE),    TRIG, NULL,                  STAY,           "told already"},
    {TRIG, EV(PROOF),   CONF, &loaded_or_no_checkin, DO(TAKE_MAIL),  "loaded, then proven"},
    {TRIG, EV(PROOF),   TRIE, NULL,                  STAY,           "proven; what it loaded is not confirmed"},
    {TRIG, EV(CHECKIN), CONF, &loaded_and_proven,    DO(TAKE_MAIL),  "proven, then loaded"},
    {TRIG, EV(CHECKIN), TRIG, NULL,                  STAY,           "one of the two is missing"},
    {TRIG, EV(FAILED),  WAIT, &tries_left,           DO(TAKE_MAIL),  "tries again in 30, 60, 120, 300 s"},
    {TRIG, EV(FAILED),  FAIL, NULL,                  DO(ALERT),      "operator decides"},
    {TRIG, EV(TIMEOUT), UNRE, &silent,               DO(WAKE),       "three periods missed"},
    {TRIG, EV(TIMEOUT), TRIG, &tries_left,           DO(PUT_PROBE),  "heard, but not done"},
    {TRIG, EV(TIMEOUT), FAIL, NULL,                  DO(ALERT),      "operator decides"},
    {TRIG, EV(PARK),    UNRE, NULL,                  DO(WAKE),       "was told, then fell silent"},

    {TRIE, EV(WAVE),    TRIE, NULL,                  STAY,           "told already"},
    {TRIE, EV(PROOF),   CONF, &loaded_or_no_checkin, DO(TAKE_MAIL),  "loaded and proven"},
    {TRIE, EV(PROOF),   TRIE, NULL,                  STAY,           "proven already"},
    {TRIE, EV(CHECKIN), CONF, &loaded,               DO(TAKE_MAIL),  "proven, then loaded"},
    {TRIE, EV(CHECKIN), TRIE, NULL,                  STAY,           "proven; not loaded"},
    {TRIE, EV(FAILED),  WAIT, &tries_left,           DO(TAKE_MAIL),  "tries again in 30, 60, 120, 300 s"},
    {TRIE, EV(FAILED),  FAIL, NULL,                  DO(ALERT),      "operator decides"},
    {TRIE, EV(TIMEOUT), UNRE, &silent,               DO(WAKE),       "three periods missed"},
    {TRIE, EV(TIMEOUT), TRIG, &tries_left,           DO(PUT_PROBE),  "heard, but not done"},
    {TRIE, EV(TIMEOUT), FAIL, NULL,                  DO(ALERT),      "operator decides"},
    {TRIE, EV(PARK),    UNRE, NULL,                  DO(WAKE),       "was told, then fell silent"},

    {CONF, EV(WAVE),    CONF, NULL,                  STAY,           "done already"},
    {CONF, EV(PROOF),   CONF, NULL,                  STAY,           "done already"},
    {CONF, EV(CHECKIN), TRIG, &not_loaded,           DO(PUT_PROBE),  "lost what it had loaded"},
    {CONF, EV(CHECKIN), CONF, NULL,                  STAY,           "done already"},
    {CONF, EV(FAILED),  CONF, NULL,                  STAY,           "a word that came late"},
    {CONF, EV(PARK),    CONF, NULL,                  STAY,           "done already"},

    {FAIL, EV(PROOF),   CONF, &loaded_or_no_checkin, DO(TAKE_MAIL),  "late, but proven"},
    {FAIL, EV(PROOF),   FAIL, NULL,                  STAY,           "proven; not loaded"},
    {FAIL, EV(CHECKIN), CONF, &loaded_and_proven,    DO(TAKE_MAIL),  "late, but proven"},
    {FAIL, EV(CHECKIN), FAIL, NULL,                  STAY,           "operator decides"},
    {FAIL, EV(FAILED),  FAIL, NULL,                  STAY,           "told already"},
    {FAIL, EV(RETRY),   TRIG, NULL,                  DO(PUT_PROBE),  "operator asks"},
    {FAIL, EV(PARK),    UNRE, NULL,                  DO(WAKE),       "was told, then fell silent"},

    {UNRE, EV(PROOF),   CONF, &loaded_or_no_checkin, DO(TAKE_MAIL),  "back, loaded and proven"},
    {UNRE, EV(PROOF),   TRIE, NULL,                  DO(PUT_PROBE),  "back and proven"},
    {UNRE, EV(CHECKIN), CONF, &loaded_and_proven,    DO(TAKE_MAIL),  "back, loaded and proven"},
    {UNRE, EV(CHECKIN), TRIG, NULL,                  DO(PUT_PROBE),  "back: mended first"},
    {UNRE, EV(RETURN),  TRIG, NULL,                  DO(PUT_PROBE),  "back: mended first"},
    {UNRE, EV(TIMEOUT), OOB,  NULL,                  DO(WAKE),       "14 days of silence"},
    {UNRE, EV(PARK),    UNRE, NULL,                  STAY,           "silent already"},

    {OOB,  EV(PROOF),   CONF, &loaded_or_no_checkin, DO(TAKE_MAIL),  "back, loaded and proven"},
    {OOB,  EV(PROOF),   TRIE, NULL,                  DO(PUT_PROBE),  "back and proven"},
    {OOB,  EV(CHECKIN), CONF, &loaded_and_proven,    DO(TAKE_MAIL),  "back, loaded and proven"},
    {OOB,  EV(CHECKIN), TRIG, NULL,                  DO(PUT_PROBE),  "back: mended first"},
    {OOB,  EV(RETURN),  TRIG, NULL,                  DO(PUT_PROBE),  "back: mended first"},
    {OOB,  EV(TIMEOUT), ESCA, NULL,                  DO(FIELD_LIST), "someone has to go there"},
    {OOB,  EV(PARK),    OOB,  NULL,                  STAY,           "silent already"},

    {ESCA, EV(PROOF),   CONF, &loaded_or_no_checkin, DO(TAKE_MAIL),  "back, loaded and proven"},
    {ESCA, EV(PROOF),   TRIE, NULL,                  DO(PUT_PROBE),  "back and proven"},
    {ESCA, EV(CHECKIN), CONF, &loaded_and_proven,    DO(TAKE_MAIL),  "back, loaded and proven"},
    {ESCA, EV(CHECKIN), TRIG, NULL,                  DO(PUT_PROBE),  "back: mended first"},
    {ESCA, EV(RETURN),  TRIG, NULL,                  DO(PUT_PROBE),  "back: mended first"},
    {ESCA, EV(PARK),    ESCA, NULL,                  STAY,           "silent already"},

    {PARK, EV(WAVE),    PARK, NULL,                  STAY,           "its turn is when it returns"},
    {PARK, EV(PROOF),   CONF, &loaded_or_no_checkin, DO(TAKE_MAIL),  "back, loaded and proven"},
    {PARK, EV(PROOF),   TRIG, &released,             DO(PUT_PROBE),  "back: mended first"},
    {PARK, EV(PROOF),   WAIT, NULL,                  STAY,           "back before its turn"},
    {PARK, EV(CHECKIN), CONF, &loaded_and_proven,    DO(TAKE_MAIL),  "back, loaded and proven"},
    {PARK, EV(CHECKIN), TRIG, &released,             DO(PUT_PROBE),  "back: mended first"},
    {PARK, EV(CHECKIN), WAIT, NULL,                  STAY,           "back before its turn"},
    {PARK, EV(RETURN),  TRIG, &released,             DO(PUT_PROBE),  "back: mended first"},
    {PARK, EV(RETURN),  WAIT, NULL,                  STAY,           "back before its turn"},
    {PARK, EV(PARK),    PARK, NULL,                  STAY,           "silent already"},

    {DVT_ANY, EV(EXCEPT), EXCE, NULL,                DO(TAKE_MAIL),  "taken out by name"},
};

static const struct dvt_edge device_edges[] = {
    {WAIT, EV(WAVE),    TRIG, NULL,        DO(PUT_RENEW),  "wave begins"},
    {WAIT, EV(CSR),     CSR,  &released,   STAY,           "did not wait for its next try"},
    {WAIT, EV(ISSUED),  ISSU, &released,   STAY,           "did not wait for its next try"},
    {WAIT, EV(TRIED),   TRIE, NULL,        STAY,           "did not wait for its next try"},
    {WAIT, EV(SEEN),    SWIT, NULL,        STAY,           "in use at an edge"},
    {WAIT, EV(CHECKIN), CONF, &under_new,  DO(SUPERSEDE),  "promise 1"},
    {WAIT, EV(CHECKIN), WAIT, NULL,        STAY,           "not its turn"},
    {WAIT, EV(FAILED),  WAIT, NULL,        STAY,           "told already"},
    {WAIT, EV(TIMEOUT), TRIG, &released,   DO(PUT_RENEW),  "tries again"},
    {WAIT, EV(TIMEOUT), WAIT, NULL,        STAY,           "not its turn"},
    {WAIT, EV(PARK),    PARK, NULL,        STAY,           "mended first when it returns"},

    {TRIG, EV(WAVE),    TRIG, NULL,        STAY,           "told already"},
    {TRIG, EV(CSR),     CSR,  NULL,        STAY,           "RFC 7030 section 4.2.2"},
    {TRIG, EV(ISSUED),  ISSU, NULL,        STAY,           "old and new are valid"},
    {TRIG, EV(TRIED),   TRIE, NULL,        STAY,           "tries again what it got before"},
    {TRIG, EV(SEEN),    SWIT, NULL,        STAY,           "in use at an edge"},
    {TRIG, EV(CHECKIN), CONF, &under_new,  DO(SUPERSEDE),  "promise 1"},
    {TRIG, EV(CHECKIN), TRIG, NULL,        STAY,           "told, not begun"},
    {TRIG, EV(FAILED),  WAIT, &tries_left, DO(TAKE_MAIL),  "tries again in 30, 60, 120, 300 s"},
    {TRIG, EV(FAILED),  FAIL, NULL,        DO(ALERT),      "operator decides"},
    {TRIG, EV(TIMEOUT), UNRE, &silent,     DO(WAKE),       "three periods missed"},
    {TRIG, EV(TIMEOUT), TRIG, &tries_left, DO(PUT_RENEW),  "heard, but not done"},
    {TRIG, EV(TIMEOUT), FAIL, NULL,        DO(ALERT),      "operator decides"},
    {TRIG, EV(PARK),    UNRE, NULL,        DO(WAKE),       "was told, then fell silent"},

    {CSR,  EV(WAVE),    CSR,  NULL,        STAY,           "told already"},
    {CSR,  EV(CSR),     CSR,  NULL,        STAY,           "asked again"},
    {CSR,  EV(ISSUED),  ISSU, NULL,        STAY,           "old and new are valid"},
    {CSR,  EV(TRIED),   TRIE, NULL,        STAY,           "tries again what it got before"},
    {CSR,  EV(SEEN),    SWIT, NULL,        STAY,           "in use at an edge"},
    {CSR,  EV(CHECKIN), CONF, &under_new,  DO(SUPERSEDE),  "promise 1"},
    {CSR,  EV(CHECKIN), CSR,  NULL,        STAY,           "asked, not issued"},
    {CSR,  EV(FAILED),  WAIT, &tries_left, DO(TAKE_MAIL),  "tries again in 30, 60, 120, 300 s"},
    {CSR,  EV(FAILED),  FAIL, NULL,        DO(ALERT),      "operator decides"},
    {CSR,  EV(TIMEOUT), UNRE, &silent,     DO(WAKE),       "three periods missed"},
    {CSR,  EV(TIMEOUT), TRIG, &tries_left, DO(PUT_RENEW),  "the answer was lost"},
    {CSR,  EV(TIMEOUT), FAIL, NULL,        DO(ALERT),      "operator decides"},
    {CSR,  EV(PARK),    UNRE, NULL,        DO(WAKE),       "was told, then fell silent"},

    {ISSU, EV(WAVE),    ISSU, NULL,        STAY,           "told already"},
    {ISSU, EV(CSR),     ISSU, NULL,        STAY,           "asks again: the same answer"},
    {ISSU, EV(ISSUED),  ISSU, NULL,        STAY,           "handed out again"},
    {ISSU, EV(TRIED),   TRIE, NULL,        STAY,           "trial, no switch"},
    {ISSU, EV(SEEN),    SWIT, NULL,        STAY,           "in use at an edge"},
    {ISSU, EV(CHECKIN), CONF, &under_new,  DO(SUPERSEDE),  "promise 1"},
    {ISSU, EV(CHECKIN), ISSU, NULL,        STAY,           "the old one serves on"},
    {ISSU, EV(FAILED),  WAIT, &tries_left, DO(TAKE_MAIL),  "the old one serves on"},
    {ISSU, EV(FAILED),  FAIL, NULL,        DO(ALERT),      "operator decides"},
    {ISSU, EV(TIMEOUT), UNRE, &silent,     DO(WAKE),       "three periods missed"},
    {ISSU, EV(TIMEOUT), TRIG, &tries_left, DO(PUT_RENEW),  "the old one serves on"},
    {ISSU, EV(TIMEOUT), FAIL, NULL,        DO(ALERT),      "operator decides"},
    {ISSU, EV(PARK),    UNRE, NULL,        DO(WAKE),       "was told, then fell silent"},

    {TRIE, EV(WAVE),    TRIE, NULL,        STAY,           "told already"},
    {TRIE, EV(CSR),     TRIE, NULL,        STAY,           "asks again: the same answer"},
    {TRIE, EV(ISSUED),  ISSU, NULL,        STAY,           "a second key: tried anew"},
    {TRIE, EV(TRIED),   TRIE, NULL,        STAY,           "tried already"},
    {TRIE, EV(SEEN),    SWIT, NULL,        STAY,           "in use at an edge"},
    {TRIE, EV(CHECKIN), CONF, &under_new,  DO(SUPERSEDE),  "promise 1"},
    {TRIE, EV(CHECKIN), TRIE, NULL,        STAY,           "the old one serves on"},
    {TRIE, EV(FAILED),  WAIT, &tries_left, DO(TAKE_MAIL),  "the old one serves on"},
    {TRIE, EV(FAILED),  FAIL, NULL,        DO(ALERT),      "operator decides"},
    {TRIE, EV(TIMEOUT), UNRE, &silent,     DO(WAKE),       "three periods missed"},
    {TRIE, EV(TIMEOUT), TRIG, &tries_left, DO(PUT_RENEW),  "the old one serves on"},
    {TRIE, EV(TIMEOUT), FAIL, NULL,        DO(ALERT),      "operator decides"},
    {TRIE, EV(PARK),    UNRE, NULL,        DO(WAKE),       "was told, then fell silent"},

    {SWIT, EV(WAVE),    SWIT, NULL,        STAY,           "told already"},
    {SWIT, EV(CSR),     SWIT, NULL,        STAY,           "asks again: the same answer"},
    {SWIT, EV(ISSUED),  ISSU, NULL,        STAY,           "a second key: tried anew"},
    {SWIT, EV(TRIED),   SWIT, NULL,        STAY,           "in use already"},
    {SWIT, EV(SEEN),    SWIT, NULL,        STAY,           "in use already"},
    {SWIT, EV(CHECKIN), CONF, &under_new,  DO(SUPERSEDE),  "promise 1"},
    {SWIT, EV(CHECKIN), SWIT, NULL,        STAY,           "the old one is still held"},
    {SWIT, EV(FAILED),  WAIT, &tries_left, DO(TAKE_MAIL),  "went back; the old one serves on"},
    {SWIT, EV(FAILED),  FAIL, NULL,        DO(ALERT),      "operator decides"},
    {SWIT, EV(TIMEOUT), CONF, &settled,    DO(SUPERSEDE),  "promise 1, without check-in"},
    {SWIT, EV(TIMEOUT), UNRE, &silent,     DO(WAKE),       "three periods missed"},
    {SWIT, EV(TIMEOUT), SWIT, &tries_left, STAY,           "in use, not complete"},
    {SWIT, EV(TIMEOUT), FAIL, NULL,        DO(ALERT),      "operator decides"},
    {SWIT, EV(PARK),    UNRE, NULL,        DO(WAKE),       "was told, then fell silent"},

    {CONF, EV(WAVE),    CONF, NULL,        STAY,           "done already"},
    {CONF, EV(TRIED),   CONF, NULL,        STAY,           "done already"},
    {CONF, EV(SEEN),    CONF, NULL,        STAY,           "done already"},
    {CONF, EV(CHECKIN), TRIG, &under_old,  DO(PUT_RENEW),  "went back to an old one"},
    {CONF, EV(CHECKIN), CONF, NULL,        STAY,           "done already"},
    {CONF, EV(FAILED),  CONF, NULL,        STAY,           "a word that came late"},
    {CONF, EV(PARK),    CONF, NULL,        STAY,           "done already"},

    {FAIL, EV(CSR),     CSR,  NULL,        STAY,           "tries by itself"},
    {FAIL, EV(ISSUED),  ISSU, NULL,        STAY,           "tries by itself"},
    {FAIL, EV(TRIED),   TRIE, NULL,        STAY,           "late, but it goes on"},
    {FAIL, EV(SEEN),    SWIT, NULL,        STAY,           "late, but it goes on"},
    {FAIL, EV(CHECKIN), CONF, &under_new,  DO(SUPERSEDE),  "promise 1"},
    {FAIL, EV(CHECKIN), FAIL, NULL,        STAY,           "operator decides"},
    {FAIL, EV(FAILED),  FAIL, NULL,        STAY,           "told already"},
    {FAIL, EV(RETRY),   TRIG, NULL,        DO(PUT_RENEW),  "operator asks"},
    {FAIL, EV(PARK),    UNRE, NULL,        DO(WAKE),       "was told, then fell silent"},

    {UNRE, EV(CSR),     CSR,  NULL,        STAY,           "back, and at it"},
    {UNRE, EV(ISSUED),  ISSU, NULL,        STAY,           "back, and at it"},
    {UNRE, EV(TRIED),   TRIE, NULL,        STAY,           "back, and at it"},
    {UNRE, EV(SEEN),    SWIT, NULL,        STAY,           "back, and at it"},
    {UNRE, EV(CHECKIN), CONF, &under_new,  DO(SUPERSEDE),  "promise 1"},
    {UNRE, EV(CHECKIN), TRIG, NULL,        DO(PUT_RENEW),  "back: mended first"},
    {UNRE, EV(RETURN),  TRIG, NULL,        DO(PUT_RENEW),  "back: mended first"},
    {UNRE, EV(TIMEOUT), OOB,  NULL,        DO(WAKE),       "14 days of silence"},
    {UNRE, EV(PARK),    UNRE, NULL,        STAY,           "silent already"},

    {OOB,  EV(CSR),     CSR,  NULL,        STAY,           "back, and at it"},
    {OOB,  EV(ISSUED),  ISSU, NULL,        STAY,           "back, and at it"},
    {OOB,  EV(TRIED),   TRIE, NULL,        STAY,           "back, and at it"},
    {OOB,  EV(SEEN),    SWIT, NULL,        STAY,           "back, and at it"},
    {OOB,  EV(CHECKIN), CONF, &under_new,  DO(SUPERSEDE),  "promise 1"},
    {OOB,  EV(CHECKIN), TRIG, NULL,        DO(PUT_RENEW),  "back: mended first"},
    {OOB,  EV(RETURN),  TRIG, NULL,        DO(PUT_RENEW),  "back: mended first"},
    {OOB,  EV(TIMEOUT), ESCA, NULL,        DO(FIELD_LIST), "someone has to go there"},
    {OOB,  EV(PARK),    OOB,  NULL,        STAY,           "silent already"},

    {ESCA, EV(CSR),     CSR,  NULL,        STAY,           "back, and at it"},
    {ESCA, EV(ISSUED),  ISSU, NULL,        STAY,           "back, and at it"},
    {ESCA, EV(TRIED),   TRIE, NULL,        STAY,           "back, and at it"},
    {ESCA, EV(SEEN),    SWIT, NULL,        STAY,           "back, and at it"},
    {ESCA, EV(CHECKIN), CONF, &under_new,  DO(SUPERSEDE),  "promise 1"},
    {ESCA, EV(CHECKIN), TRIG, NULL,        DO(PUT_RENEW),  "back: mended first"},
    {ESCA, EV(RETURN),  TRIG, NULL,        DO(PUT_RENEW),  "back: mended first"},
    {ESCA, EV(PARK),    ESCA, NULL,        STAY,           "silent already"},

    {PARK, EV(WAVE),    PARK, NULL,        STAY,           "its turn is when it returns"},
    {PARK, EV(CSR),     CSR,  &released,   STAY,           "back, and at it"},
    {PARK, EV(ISSUED),  ISSU, NULL,        STAY,           "back, and at it"},
    {PARK, EV(TRIED),   TRIE, NULL,        STAY,           "back, and at it"},
    {PARK, EV(SEEN),    SWIT, NULL,        STAY,           "back, and at it"},
    {PARK, EV(CHECKIN), CONF, &under_new,  DO(SUPERSEDE),  "promise 1"},
    {PARK, EV(CHECKIN), TRIG, &released,   DO(PUT_RENEW),  "back: mended first"},
    {PARK, EV(CHECKIN), WAIT, NULL,        STAY,           "back before its turn"},
    {PARK, EV(RETURN),  TRIG, &released,   DO(PUT_RENEW),  "back: mended first"},
    {PARK, EV(RETURN),  WAIT, NULL,        STAY,           "back before its turn"},
    {PARK, EV(PARK),    PARK, NULL,        STAY,           "silent already"},

    {DVT_ANY, EV(EXCEPT), EXCE, NULL,      DO(TAKE_MAIL),  "taken out by name"},
};
/* clang-format on */

#define FINALS                                                                 \
	(UINT64_C(1) << DVT_ASG_CONFIRMED | UINT64_C(1) << DVT_ASG_EXCEPTED)

/* No device gets a certificate when edges move. */
#define SERVER_UNUSED                                                          \
	(UINT64_C(1) << DVT_ASG_CSR | UINT64_C(1) << DVT_ASG_ISSUED |          \
	    UINT64_C(1) << DVT_ASG_SWITCHED)

const struct dvt_machine dvt_machine_assignment_server = {
    "assignment-server-ca",
    "One device while edges move to another root: it loads the new root and "
    "proves it in a handshake, in either order.",
    states, DVT_COUNT(states), events, DVT_COUNT(events), actions,
    DVT_COUNT(actions), DVT_ASG_WAITING, FINALS, SERVER_UNUSED, server_edges,
    DVT_COUNT(server_edges)};

const struct dvt_machine dvt_machine_assignment_device = {
    "assignment-device-ca",
    "One device while it gets a certificate of another authority: the old one "
    "is superseded only at the completion check-in.",
    states, DVT_COUNT(states), events, DVT_COUNT(events), actions,
    DVT_COUNT(actions), DVT_ASG_WAITING, FINALS, 0, device_edges,
    DVT_COUNT(device_edges)};
