/* SPDX-License-Identifier: Apache-2.0 */
/* See maps.h. */
#include "store/maps.h"

#include "store/rows.h"

#define F(f)       DVT_F(struct dvt_row_authority, f)
#define E(f, list) DVT_E(struct dvt_row_authority, f, dvt_##list##_name)
static const struct dvt_field authority_fields[] = {F(id), F(name),
    E(state, authority_state), F(is_root), F(use_server), F(use_device),
    F(parent_id), F(root_id), F(subject), F(fingerprint), F(key_digest), F(der),
    F(key_wrapped), F(cross_der), F(cross_by), F(not_before), F(not_after),
    F(last_issue_at), F(imported), F(created_at)};
const struct dvt_row_map dvt_map_authority = DVT_MAP(
    struct dvt_row_authority, authority_fields);
#undef F
#undef E

#define F(f) DVT_F(struct dvt_row_profile, f)
static const struct dvt_field profile_fields[] = {F(id), F(name), F(issuer_id),
    F(validity_s), F(jitter_s), F(backdate_s), F(renew_before_s), F(use_server),
    F(use_client), F(digest), F(approved_at)};
const struct dvt_row_map dvt_map_profile = DVT_MAP(
    struct dvt_row_profile, profile_fields);
#undef F

#define F(f)       DVT_F(struct dvt_row_device, f)
#define E(f, list) DVT_E(struct dvt_row_device, f, dvt_##list##_name)
static const struct dvt_field device_fields[] = {F(device_id),
    E(state, device_state), F(hw_serial), F(model), F(firmware), F(batch),
    F(type), F(profile), F(labels), E(environment, environment), F(period_s),
    E(management, management), F(oob_address), F(subject), F(subject_der),
    F(san_der), F(created_at), F(last_seen_at), F(park_at), F(last_checkin_at),
    F(last_renewal_at), F(clock_off_s), F(agent), F(blocked_case)};
const struct dvt_row_map dvt_map_device = DVT_MAP(
    struct dvt_row_device, device_fields);
#undef F
#undef E

#define F(f)       DVT_F(struct dvt_row_credential, f)
#define E(f, list) DVT_E(struct dvt_row_credential, f, dvt_##list##_name)
static const struct dvt_field credential_fields[] = {E(owner_kind, owner_kind),
    F(owner), F(fingerprint), F(generation), E(state, credential_state),
    F(serial), F(issuer), F(authority_id), F(root), F(subject), F(key_digest),
    F(not_before), F(not_after), F(issued_at), F(confirmed_at), F(seen_at),
    F(sessions), F(superseded_at), F(hold_until), F(denied_at), F(revoked_at),
    F(revoke_reason), F(pinned), F(source)};
const struct dvt_row_map dvt_map_credential = DVT_MAP(
    struct dvt_row_credential, credential_fields);
#undef F
#undef E

#define F(f)       DVT_F(struct dvt_row_secret, f)
#define E(f, list) DVT_E(struct dvt_row_secret, f, dvt_##list##_name)
static const struct dvt_field secret_fields[] = {E(owner_kind, secret_owner),
    F(owner), F(hash), F(key_digest), F(created_at), F(expires_at), F(used_at)};
const struct dvt_row_map dvt_map_secret = DVT_MAP(
    struct dvt_row_secret, secret_fields);
#undef F
#undef E

#define F(f) DVT_F(struct dvt_row_grant, f)
static const struct dvt_field grant_fields[] = {F(id), F(device_id),
    F(certificate), F(key_digest), F(created_by), F(created_at), F(expires_at),
    F(used_at)};
const struct dvt_row_map dvt_map_grant = DVT_MAP(
    struct dvt_row_grant, grant_fields);
#undef F

#define F(f) DVT_F(struct dvt_row_recovery_file, f)
static const struct dvt_field recovery_file_fields[] = {F(device_id),
    F(grant_id), F(version), F(line), F(failed), F(created_by), F(created_at)};
const struct dvt_row_map dvt_map_recovery_file = DVT_MAP(
    struct dvt_row_recovery_file, recovery_file_fields);
#undef F

#define F(f) DVT_F(struct dvt_row_config_value, f)
static const struct dvt_field config_value_fields[] = {F(device_id), F(name),
    F(sealed), F(certificate), F(version), F(set_by), F(set_at),
    F(applied_version), F(applied_at), F(failed)};
const struct dvt_row_map dvt_map_config_value = DVT_MAP(
    struct dvt_row_config_value, config_value_fields);
#undef F

#define F(f) DVT_F(struct dvt_row_config_lock, f)
static const struct dvt_field config_lock_fields[] = {
    F(device_id), F(update_id), F(key_digest), F(locked_at), F(expires_at)};
const struct dvt_row_map dvt_map_config_lock = DVT_MAP(
    struct dvt_row_config_lock, config_lock_fields);
#undef F

#define F(f) DVT_F(struct dvt_row_bundle, f)
static const struct dvt_field bundle_fields[] = {F(version), F(keys_version),
    F(previous), F(digest), F(anchors), F(envelope), F(issued_at),
    F(expires_at), F(reason)};
const struct dvt_row_map dvt_map_bundle = DVT_MAP(
    struct dvt_row_bundle, bundle_fields);
#undef F

#define F(f)       DVT_F(struct dvt_row_trust_key, f)
#define E(f, list) DVT_E(struct dvt_row_trust_key, f, dvt_##list##_name)
static const struct dvt_field trust_key_fields[] = {F(keyid),
    E(role, trust_key_role), F(spki), F(wrapped), E(state, trust_key_state)};
const struct dvt_row_map dvt_map_trust_key = DVT_MAP(
    struct dvt_row_trust_key, trust_key_fields);
#undef F
#undef E

#define F(f) DVT_F(struct dvt_row_trust_state, f)
static const struct dvt_field trust_state_fields[] = {F(device_id),
    F(bundle_wanted), F(bundle_confirmed), F(digest), F(confirmed_at),
    F(failed), F(key_pin)};
const struct dvt_row_map dvt_map_trust_state = DVT_MAP(
    struct dvt_row_trust_state, trust_state_fields);
#undef F

#define F(f)       DVT_F(struct dvt_row_chain_seen, f)
#define E(f, list) DVT_E(struct dvt_row_chain_seen, f, dvt_##list##_name)
static const struct dvt_field chain_seen_fields[] = {F(device_id), F(root),
    E(form, chain_form), F(accepted), F(refused), F(first_ok_at), F(last_ok_at),
    F(last_main_at), F(last_bad_at)};
const struct dvt_row_map dvt_map_chain_seen = DVT_MAP(
    struct dvt_row_chain_seen, chain_seen_fields);
#undef F
#undef E

#define F(f)       DVT_F(struct dvt_row_chain_taken, f)
#define E(f, list) DVT_E(struct dvt_row_chain_taken, f, dvt_##list##_name)
static const struct dvt_field chain_taken_fields[] = {F(device_id), F(serial),
    E(form, chain_form), F(root), F(issuer), F(taken), F(after_refusal),
    F(first_at), F(last_at)};
const struct dvt_row_map dvt_map_chain_taken = DVT_MAP(
    struct dvt_row_chain_taken, chain_taken_fields);
#undef F
#undef E

#define F(f)       DVT_F(struct dvt_row_device_pin, f)
#define E(f, list) DVT_E(struct dvt_row_device_pin, f, dvt_##list##_name)
static const struct dvt_field device_pin_fields[] = {
    F(device_id), E(pins, pins), F(since)};
const struct dvt_row_map dvt_map_device_pin = DVT_MAP(
    struct dvt_row_device_pin, device_pin_fields);
#undef F
#undef E

#define F(f)       DVT_F(struct dvt_row_gateway, f)
#define E(f, list) DVT_E(struct dvt_row_gateway, f, dvt_##list##_name)
static const struct dvt_field gateway_fields[] = {F(name),
    E(kind, gateway_kind), F(site), F(names), F(next_name), F(trial_name),
    F(default_root), F(next_root), F(forced), F(applied), F(applied_at),
    F(heard_at), F(batch), F(clock_off_s), F(sessions), F(version),
    F(created_at)};
const struct dvt_row_map dvt_map_gateway = DVT_MAP(
    struct dvt_row_gateway, gateway_fields);
#undef F
#undef E

#define F(f) DVT_F(struct dvt_row_gateway_credential, f)
#define E(f, list)                                                             \
	DVT_E(struct dvt_row_gateway_credential, f, dvt_##list##_name)
static const struct dvt_field gateway_credential_fields[] = {F(gateway), F(id),
    F(listener), E(slot, gateway_slot), F(generation), F(names),
    F(authority_id), F(root), F(key_digest), F(csr), F(chain_pem),
    F(fingerprint), F(not_after), F(rotation_id), F(created_at)};
const struct dvt_row_map dvt_map_gateway_credential = DVT_MAP(
    struct dvt_row_gateway_credential, gateway_credential_fields);
#undef F
#undef E

#define F(f)       DVT_F(struct dvt_row_feed, f)
#define E(f, list) DVT_E(struct dvt_row_feed, f, dvt_##list##_name)
static const struct dvt_field feed_fields[] = {
    E(kind, feed_row_kind), F(key), F(gateway), F(position), F(body)};
const struct dvt_row_map dvt_map_feed = DVT_MAP(
    struct dvt_row_feed, feed_fields);
#undef F
#undef E

#define F(f)       DVT_F(struct dvt_rotation, f)
#define E(f, list) DVT_E(struct dvt_rotation, f, dvt_##list##_name)
static const struct dvt_field rotation_fields[] = {F(id),
    E(kind, rotation_kind), E(state, rotation_state), E(phase, phase),
    F(phase_since), F(phase_elapsed_ms), F(ticked_at), F(ticked_mono_ms),
    F(boot_id), F(version), F(from_id), F(to_id), F(plan_digest), F(wave),
    F(switched_at), F(position), F(bundle), F(waits_for), F(last_safe_at),
    F(approval_id), F(created_by), F(created_at), F(started_at),
    F(finished_at)};
const struct dvt_row_map dvt_map_rotation = DVT_MAP(
    struct dvt_rotation, rotation_fields);
#undef F
#undef E

#define F(f) DVT_F(struct dvt_row_phase, f)
static const struct dvt_field phase_fields[] = {
    F(rotation_id), F(seq), F(name), F(entered_at), F(left_at), F(outcome)};
const struct dvt_row_map dvt_map_phase = DVT_MAP(
    struct dvt_row_phase, phase_fields);
#undef F

#define F(f)       DVT_F(struct dvt_assignment, f)
#define E(f, list) DVT_E(struct dvt_assignment, f, dvt_##list##_name)
static const struct dvt_field assignment_fields[] = {F(device_id),
    F(rotation_id), F(wave), F(rank), E(state, assignment_state),
    F(state_since), F(due_at), F(tries), F(edge_at), F(fingerprint), F(reason)};
const struct dvt_row_map dvt_map_assignment = DVT_MAP(
    struct dvt_assignment, assignment_fields);
#undef F
#undef E

#define F(f)       DVT_F(struct dvt_row_mail, f)
#define E(f, list) DVT_E(struct dvt_row_mail, f, dvt_##list##_name)
static const struct dvt_field mail_fields[] = {F(device_id), F(id),
    E(action, mailbox_action), F(body), F(rotation_id), F(created_at),
    F(told_at)};
const struct dvt_row_map dvt_map_mail = DVT_MAP(
    struct dvt_row_mail, mail_fields);
#undef F
#undef E

#define F(f)       DVT_F(struct dvt_row_outbox, f)
#define E(f, list) DVT_E(struct dvt_row_outbox, f, dvt_##list##_name)
static const struct dvt_field outbox_fields[] = {F(id), F(key), F(rotation_id),
    F(action), F(body), E(state, outbox_state), F(tries), F(due_at), F(result),
    F(created_at)};
const struct dvt_row_map dvt_map_outbox = DVT_MAP(
    struct dvt_row_outbox, outbox_fields);
#undef F
#undef E

#define F(f) DVT_F(struct dvt_row_tally, f)
static const struct dvt_field tally_fields[] = {
    F(rotation_id), F(wave), F(what), F(n)};
const struct dvt_row_map dvt_map_tally = DVT_MAP(
    struct dvt_row_tally, tally_fields);
#undef F

#define F(f) DVT_F(struct dvt_row_update, f)
static const struct dvt_field update_fields[] = {F(device_id), F(id),
    F(rotation_id), F(version), F(target), F(started_at), F(finished_at),
    F(outcome)};
const struct dvt_row_map dvt_map_update = DVT_MAP(
    struct dvt_row_update, update_fields);
#undef F

#define F(f) DVT_F(struct dvt_row_step, f)
static const struct dvt_field step_fields[] = {F(device_id), F(id), F(seq),
    F(at), F(step), F(target), F(outcome), F(detail)};
const struct dvt_row_map dvt_map_step = DVT_MAP(
    struct dvt_row_step, step_fields);
#undef F

#define F(f) DVT_F(struct dvt_row_handshake, f)
static const struct dvt_field handshake_fields[] = {F(id), F(gateway), F(at),
    F(device), F(confidence), F(outcome), F(reason), F(root), F(body), F(n)};
const struct dvt_row_map dvt_map_handshake = DVT_MAP(
    struct dvt_row_handshake, handshake_fields);
#undef F

#define F(f) DVT_F(struct dvt_row_handshake_hour, f)
static const struct dvt_field handshake_hour_fields[] = {
    F(device), F(hour), F(gateway), F(outcome), F(reason), F(root), F(n)};
const struct dvt_row_map dvt_map_handshake_hour = DVT_MAP(
    struct dvt_row_handshake_hour, handshake_hour_fields);
#undef F

#define F(f) DVT_F(struct dvt_row_handshake_shown, f)
static const struct dvt_field handshake_shown_fields[] = {F(hour), F(gateway),
    F(serial), F(model), F(firmware), F(print), F(outcome), F(reason), F(n)};
const struct dvt_row_map dvt_map_handshake_shown = DVT_MAP(
    struct dvt_row_handshake_shown, handshake_shown_fields);
#undef F

#define F(f)       DVT_F(struct dvt_row_expiry_day, f)
#define E(f, list) DVT_E(struct dvt_row_expiry_day, f, dvt_##list##_name)
static const struct dvt_field expiry_day_fields[] = {
    F(day), E(owner_kind, owner_kind), F(n)};
const struct dvt_row_map dvt_map_expiry_day = DVT_MAP(
    struct dvt_row_expiry_day, expiry_day_fields);
#undef F
#undef E

#define F(f) DVT_F(struct dvt_row_event, f)
static const struct dvt_field event_fields[] = {
    F(id), F(at), F(name), F(device), F(correlation), F(body)};
const struct dvt_row_map dvt_map_event = DVT_MAP(
    struct dvt_row_event, event_fields);
#undef F

#define F(f) DVT_F(struct dvt_row_alert, f)
static const struct dvt_field alert_fields[] = {F(id), F(key), F(severity),
    F(name), F(detail), F(at), F(count), F(acked_by), F(acked_at)};
const struct dvt_row_map dvt_map_alert = DVT_MAP(
    struct dvt_row_alert, alert_fields);
#undef F

#define F(f)       DVT_F(struct dvt_row_token, f)
#define E(f, list) DVT_E(struct dvt_row_token, f, dvt_##list##_name)
static const struct dvt_field token_fields[] = {F(id), F(name),
    E(role, token_role), F(hash), F(created_at), F(expires_at), F(revoked_at),
    F(created_by)};
const struct dvt_row_map dvt_map_token = DVT_MAP(
    struct dvt_row_token, token_fields);
#undef F
#undef E

#define F(f) DVT_F(struct dvt_row_approval, f)
static const struct dvt_field approval_fields[] = {F(id), F(action), F(object),
    F(digest), F(requested_by), F(requested_at), F(expires_at), F(given_by),
    F(given_at), F(used_at), F(rotation_id), F(withdrawn_at)};
const struct dvt_row_map dvt_map_approval = DVT_MAP(
    struct dvt_row_approval, approval_fields);
#undef F

#define F(f) DVT_F(struct dvt_row_audit, f)
static const struct dvt_field audit_fields[] = {F(stream), F(seq), F(at),
    F(actor), F(action), F(object), F(detail), F(hash)};
const struct dvt_row_map dvt_map_audit = DVT_MAP(
    struct dvt_row_audit, audit_fields);
#undef F

#define F(f) DVT_F(struct dvt_row_audit_stream, f)
static const struct dvt_field audit_stream_fields[] = {
    F(stream), F(node), F(start), F(prior), F(started_at), F(seq), F(head)};
const struct dvt_row_map dvt_map_audit_stream = DVT_MAP(
    struct dvt_row_audit_stream, audit_stream_fields);
#undef F

#define F(f) DVT_F(struct dvt_row_checkpoint, f)
static const struct dvt_field checkpoint_fields[] = {F(id), F(at), F(line)};
const struct dvt_row_map dvt_map_checkpoint = DVT_MAP(
    struct dvt_row_checkpoint, checkpoint_fields);
#undef F

#define F(f)       DVT_F(struct dvt_gateway_view, f)
#define E(f, list) DVT_E(struct dvt_gateway_view, f, dvt_##list##_name)
static const struct dvt_field gateway_view_fields[] = {F(name),
    E(kind, gateway_kind), F(has_next), F(on_new), F(has_old), F(forced),
    F(applied), F(heard_at), F(sessions), F(clock_off_s)};
const struct dvt_row_map dvt_map_gateway_view = DVT_MAP(
    struct dvt_gateway_view, gateway_view_fields);
#undef F
#undef E

#define F(f)       DVT_F(struct dvt_row_wave_count, f)
#define E(f, list) DVT_E(struct dvt_row_wave_count, f, dvt_##list##_name)
static const struct dvt_field wave_count_fields[] = {
    F(wave), E(state, assignment_state), F(n)};
const struct dvt_row_map dvt_map_wave_count = DVT_MAP(
    struct dvt_row_wave_count, wave_count_fields);
#undef F
#undef E

#define F(f) DVT_F(struct dvt_row_handshake_count, f)
static const struct dvt_field handshake_count_fields[] = {
    F(gateway), F(confidence), F(outcome), F(reason), F(n)};
const struct dvt_row_map dvt_map_handshake_count = DVT_MAP(
    struct dvt_row_handshake_count, handshake_count_fields);
#undef F
