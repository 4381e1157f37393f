-- POST /v1/admin/outbox/{id}/retry: a DEAD mail is due again, now, with a new lifetime; the trigger writes down
-- who asked for that.
--
-- Refusals: mail-not-found, invalid-transition-retry (status).
-- It goes before the later mails of its reservation that nobody has at hand, and behind the earlier ones:
-- outbox_settle wakes one after the other.
-- Columns: as a row of outbox_list.  Locks: the reservation, so that none of its mails is on its way, then the mail, then the
-- others of the reservation.
DROP PROCEDURE IF EXISTS outbox_retry;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE outbox_retry(
  p_actor VARCHAR(100), p_request_id VARCHAR(64), p_key BINARY(32), p_body BINARY(32),
  p_id BIGINT)
  MODIFIES SQL DATA
BEGIN
  -- @row
  DECLARE v_event, v_status VARCHAR(16);
  DECLARE v_attempts INT;
  DECLARE v_subject VARCHAR(700); -- of a record that was kept when it was made here
  DECLARE v_room_name, v_user_name VARCHAR(200);
  DECLARE v_from_total, v_to_total, v_from_archived, v_to_archived INT;
  DECLARE v_reservation, v_room BINARY(16);
  DECLARE v_request_id VARCHAR(64);
  DECLARE v_created DATETIME(6);
  DECLARE v_last_error VARCHAR(1000);
  DECLARE v_earlier BIGINT;
  DECLARE v_mails LONGTEXT;
  -- @begin attempts, subject, last_error, room_name, user_name
  SELECT reservation_id INTO v_reservation FROM outbox WHERE id = p_id;
  SELECT id INTO v_reservation FROM reservation WHERE id = v_reservation FOR UPDATE;
  SELECT status INTO v_status FROM outbox WHERE id = p_id FOR UPDATE;
  SELECT n.event, n.attempts, COALESCE(n.subject_room, n.room_name), COALESCE(n.subject_user, n.user_name), n.from_total, n.to_total, n.from_archived, n.to_archived,
      n.room_id, n.request_id, n.created_at, n.last_error
    INTO v_event, v_attempts, v_room_name, v_user_name, v_from_total, v_to_total, v_from_archived, v_to_archived,
      v_room, v_request_id, v_created, v_last_error
    FROM (SELECT m.event, m.attempts, m.from_total, m.to_total, m.from_archived, m.to_archived, m.room_id, m.request_id, m.created_at, m.last_error,
        -- @subject_names
        -- @mail_names
      FROM outbox_mail m WHERE m.id = p_id) n;
  -- @context
  IF v_status IS NULL THEN
    -- @refuse_unkept 'mail-not-found', NULL, NULL, NULL
  ELSEIF v_status <> 'DEAD' THEN
    -- @refuse 'invalid-transition-retry', v_status, NULL, NULL
  ELSE
    SELECT MIN(o.id) INTO v_earlier
      FROM loyalty_history.reservation_history h STRAIGHT_JOIN outbox o FORCE INDEX (PRIMARY) ON o.id = h.mail_id
      WHERE h.reservation_id = v_reservation AND o.id < p_id AND o.status = 'PENDING' LOCK IN SHARE MODE;
    SELECT JSON_ARRAYAGG(mail_id) INTO v_mails FROM loyalty_history.reservation_history
      WHERE reservation_id = v_reservation AND mail_id > p_id;
    UPDATE outbox SET status = 'PENDING', due_at = IF(v_earlier IS NULL, @loyalty_at, NULL), next_attempt_at = @loyalty_at,
        queued_at = @loyalty_at WHERE id = p_id;
    IF v_mails IS NOT NULL THEN
      UPDATE JSON_TABLE(v_mails, '$[*]' COLUMNS (id BIGINT PATH '$')) m STRAIGHT_JOIN outbox o FORCE INDEX (PRIMARY) ON o.id = m.id
        SET o.due_at = NULL WHERE o.status = 'PENDING' AND o.lease_owner IS NULL;
    END IF;
  END IF;
  -- @keep attempts, subject, last_error, room_name, user_name
  -- @answer p_id, v_event, 'PENDING', v_attempts, v_subject, v_reservation, v_room, v_request_id, v_created, CAST(@loyalty_at AS DATETIME(6)), NULL, v_last_error, v_room_name, v_user_name, v_from_total, v_to_total, v_from_archived, v_to_archived
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE outbox_retry TO 'loyalty_admin'@'__HOST__';
