/* SPDX-License-Identifier: Apache-2.0 */
/* Two tables: what may be asked of a rotation, and its order of phases. */
#include "fleet/phase_priv.h"

#define NAME(id, name) name,
static const char *const states[] = {DVT_ROTATION_STATES(NAME)};
static const char *const events[] = {DVT_ROT_EVENTS(NAME)};
static const char *const steps[] = {
    "", "enter-preflight", "undo", "recall", "retry"};
static const char *const phases[] = {DVT_PHASES(NAME)};
static const char *const gate[] = {"gate"};
static const char *const enter[] = {"", "enter"};
static const char *const actions[] = {DVT_ROT_ACTIONS(NAME)};

const char *
dvt_rot_action_name(enum dvt_rot_action a)
{
	return (size_t)a < DVT_COUNT(actions) ? actions[a] : "?";
}

enum dvt_rot_action
dvt_rot_action_from_name(const char *name)
{
	for (size_t i = 1; i < DVT_COUNT(actions); i++)
		if (strcmp(actions[i], name) == 0)
			return (enum dvt_rot_action)i;
	return DVT_DO_N;
}

static bool
shows_chains_holds(const void *facts)
{
	enum dvt_rotation_kind kind = *(const enum dvt_rotation_kind *)facts;

	return dvt_phase_is_server(kind);
}

static bool
has_overlap_holds(const void *facts)
{
	return dvt_plan_has(
	    *(const enum dvt_rotation_kind *)facts, DVT_PHASE_OVERLAP);
}

static bool
has_retire_holds(const void *facts)
{
	return dvt_plan_has(
	    *(const enum dvt_rotation_kind *)facts, DVT_PHASE_RETIRE);
}

static const struct dvt_guard shows_chains = {
    "server-cert or server-ca", shows_chains_holds};
static const struct dvt_guard has_overlap = {
    "server-ca, device-ca or algorithm", has_overlap_holds};
static const struct dvt_guard has_retire = {
    "server-ca, device-ca or algorithm", has_retire_holds};

/* clang-format off */
static const struct dvt_edge rotation_edges[] = {
    {DVT_ROT_PLANNED,     DVT_ROT_EV_START,    DVT_ROT_RUNNING,     NULL,          DVT_ROT_STEP_ENTER,  "preflight begins"},
    {DVT_ROT_PLANNED,     DVT_ROT_EV_ABORT,    DVT_ROT_ABORTED,     NULL,          0,                   "never begun"},
    {DVT_ROT_RUNNING,     DVT_ROT_EV_START,    DVT_ROT_RUNNING,     NULL,          0,                   "started already"},
    {DVT_ROT_RUNNING,     DVT_ROT_EV_PAUSE,    DVT_ROT_PAUSED,      NULL,          0,                   "no new offers; those out go on"},
    {DVT_ROT_RUNNING,     DVT_ROT_EV_DOUBT,    DVT_ROT_PAUSED,      NULL,          0,                   "someone has to look"},
    {DVT_ROT_RUNNING,     DVT_ROT_EV_HURT,     DVT_ROT_ROLLED_BACK, &shows_chains, DVT_ROT_STEP_UNDO,   "it hurts, and going back helps"},
    {DVT_ROT_RUNNING,     DVT_ROT_EV_HURT,     DVT_ROT_PAUSED,      NULL,          0,                   "both certificates are accepted"},
    {DVT_ROT_RUNNING,     DVT_ROT_EV_RESUME,   DVT_ROT_RUNNING,     NULL,          0,                   "runs already"},
    {DVT_ROT_RUNNING,     DVT_ROT_EV_ABORT,    DVT_ROT_ABORTED,     NULL,          DVT_ROT_STEP_RECALL, "stops where it is"},
    {DVT_ROT_RUNNING,     DVT_ROT_EV_ROLLBACK, DVT_ROT_ROLLED_BACK, NULL,          DVT_ROT_STEP_UNDO,   "what can be undone"},
    {DVT_ROT_RUNNING,     DVT_ROT_EV_FINISH,   DVT_ROT_DONE,        NULL,          0,                   "the last gate held"},
    {DVT_ROT_PAUSED,      DVT_ROT_EV_PAUSE,    DVT_ROT_PAUSED,      NULL,          0,                   "paused already"},
    {DVT_ROT_PAUSED,      DVT_ROT_EV_DOUBT,    DVT_ROT_PAUSED,      NULL,          0,                   "paused already"},
    {DVT_ROT_PAUSED,      DVT_ROT_EV_HURT,     DVT_ROT_ROLLED_BACK, &shows_chains, DVT_ROT_STEP_UNDO,   "it hurts, and going back helps"},
    {DVT_ROT_PAUSED,      DVT_ROT_EV_HURT,     DVT_ROT_PAUSED,      NULL,          0,                   "paused already"},
    {DVT_ROT_PAUSED,      DVT_ROT_EV_RESUME,   DVT_ROT_RUNNING,     NULL,          DVT_ROT_STEP_RETRY,  "goes on; what failed is tried again"},
    {DVT_ROT_PAUSED,      DVT_ROT_EV_ABORT,    DVT_ROT_ABORTED,     NULL,          DVT_ROT_STEP_RECALL, "stops where it is"},
    {DVT_ROT_PAUSED,      DVT_ROT_EV_ROLLBACK, DVT_ROT_ROLLED_BACK, NULL,          DVT_ROT_STEP_UNDO,   "what can be undone"},
    {DVT_ROT_ROLLED_BACK, DVT_ROT_EV_ROLLBACK, DVT_ROT_ROLLED_BACK, NULL,          0,                   "rolled back already"},
    {DVT_ROT_ROLLED_BACK, DVT_ROT_EV_HURT,     DVT_ROT_ROLLED_BACK, NULL,          0,                   "rolled back already"},
    {DVT_ROT_ABORTED,     DVT_ROT_EV_ABORT,    DVT_ROT_ABORTED,     NULL,          0,                   "aborted already"},
};

static const struct dvt_edge phase_edges[] = {
    {DVT_PHASE_PLANNED,   0, DVT_PHASE_PREFLIGHT, NULL,         1, "started"},
    {DVT_PHASE_PREFLIGHT, 0, DVT_PHASE_OVERLAP,   &has_overlap, 1, "no device is blocked, or excepted by name"},
    {DVT_PHASE_PREFLIGHT, 0, DVT_PHASE_PILOT,     NULL,         1, "no device is blocked, or excepted by name"},
    {DVT_PHASE_OVERLAP,   0, DVT_PHASE_PILOT,     NULL,         1, "devices and edges confirmed, minimum time"},
    {DVT_PHASE_PILOT,     0, DVT_PHASE_WAVES,     NULL,         1, "few failures, minimum time"},
    {DVT_PHASE_WAVES,     0, DVT_PHASE_OBSERVE,   NULL,         1, "few failures, minimum time, every edge applied"},
    {DVT_PHASE_OBSERVE,   0, DVT_PHASE_RETIRE,    &has_retire,  1, "every active device gave proof, minimum time"},
    {DVT_PHASE_OBSERVE,   0, DVT_PHASE_DONE,      NULL,         1, "every active device gave proof, minimum time"},
    {DVT_PHASE_RETIRE,    0, DVT_PHASE_DONE,      NULL,         1, "approved; no active device needs the old one"},
};
/* clang-format on */

#define ROTATION_FINALS                                                        \
	(UINT64_C(1) << DVT_ROT_ROLLED_BACK | UINT64_C(1) << DVT_ROT_ABORTED | \
	    UINT64_C(1) << DVT_ROT_DONE)

const struct dvt_machine dvt_machine_rotation = {"rotation",
    "A rotation as operators see it: what may be asked of it, and what the "
    "engine does by itself.",
    states, DVT_COUNT(states), events, DVT_COUNT(events), steps,
    DVT_COUNT(steps), DVT_ROT_PLANNED, ROTATION_FINALS, 0, rotation_edges,
    DVT_COUNT(rotation_edges)};

const struct dvt_machine dvt_machine_phase = {"phase",
    "The phases of a running rotation; each is left when its gate holds.",
    phases, DVT_COUNT(phases), gate, DVT_COUNT(gate), enter, DVT_COUNT(enter),
    DVT_PHASE_PLANNED, UINT64_C(1) << DVT_PHASE_DONE, 0, phase_edges,
    DVT_COUNT(phase_edges)};

enum dvt_phase
dvt_phase_next(enum dvt_rotation_kind kind, enum dvt_phase phase)
{
	const struct dvt_edge *e;

	if (dvt_machine_step(
		&dvt_machine_phase, (int)phase, 0, &kind, &e, NULL) != DVT_OK)
		return phase;
	return (enum dvt_phase)e->to;
}
