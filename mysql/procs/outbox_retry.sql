-- POST /v1/admin/outbox/{id}/retry: a DEAD mail is due again, now, with a new lifetime; the trigger writes down
-- who asked for that.
--
-- 200; 404 not-found; 409 invalid-transition of any other; 422 idempotency-key-reused.
-- It goes before the later mails of its reservation that nobody has at hand, and behind the earlier ones:
-- outbox_settle wakes one after the other.
-- Fields of a 200: as a row of outbox_list, NULL as the empty string.  Locks: the reservation, so that none of its
-- mails is on its way, then the mail, then the others of the reservation.
DROP PROCEDURE IF EXISTS outbox_retry;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE outbox_retry(
  p_actor VARCHAR(100), p_request_id VARCHAR(64), p_key BINARY(32), p_body BINARY(32),
  p_id BIGINT)
  MODIFIES SQL DATA
BEGIN
  -- @locals
  DECLARE v_was VARCHAR(8);
  DECLARE v_reservation BINARY(16);
  DECLARE v_earlier BIGINT;
  DECLARE v_mails LONGTEXT;
  DECLARE v_at DATETIME(6);
  DECLARE EXIT HANDLER FOR SQLEXCEPTION
  BEGIN
    ROLLBACK;
    SET @loyalty_actor = NULL, @loyalty_request_id = NULL, @loyalty_at = NULL, @loyalty_reservation = NULL, @loyalty_reason = NULL;
    RESIGNAL;
  END;

  SET @loyalty_actor = p_actor, @loyalty_request_id = p_request_id;
  START TRANSACTION;
  SELECT reservation_id INTO v_reservation FROM outbox WHERE id = p_id;
  SELECT id INTO v_reservation FROM reservation WHERE id = v_reservation FOR UPDATE;
  SELECT status INTO v_was FROM outbox WHERE id = p_id FOR UPDATE;
  decide: BEGIN
    -- @key
    IF v_was IS NULL THEN
      SET v_status = 404, v_problem = 'not-found', v_fields = CONCAT_WS(X'1F', p_request_id, 'There is no mail with this id.');
      LEAVE decide;
    END IF;
    SET v_at = UTC_TIMESTAMP(6);
    IF v_was <> 'DEAD' THEN
      SET v_status = 409, v_problem = 'invalid-transition',
          v_fields = CONCAT_WS(X'1F', p_request_id, CONCAT('The mail is ', v_was, '; only a DEAD one can be sent again.'));
    ELSE
      SELECT JSON_ARRAYAGG(mail_id) INTO v_mails FROM loyalty_history.reservation_history WHERE reservation_id = v_reservation;
      SET v_mails = COALESCE(v_mails, '[]');
      SELECT MIN(o.id) INTO v_earlier
        FROM JSON_TABLE(v_mails, '$[*]' COLUMNS (id BIGINT PATH '$')) m STRAIGHT_JOIN outbox o FORCE INDEX (PRIMARY) ON o.id = m.id
        WHERE o.id < p_id AND o.status = 'PENDING' FOR UPDATE;
      UPDATE outbox SET status = 'PENDING', due_at = IF(v_earlier IS NULL, v_at, NULL), next_attempt_at = v_at,
          queued_at = v_at WHERE id = p_id;
      UPDATE JSON_TABLE(v_mails, '$[*]' COLUMNS (id BIGINT PATH '$')) m STRAIGHT_JOIN outbox o FORCE INDEX (PRIMARY) ON o.id = m.id
        SET o.due_at = NULL WHERE o.id > p_id AND o.status = 'PENDING' AND o.lease_owner IS NULL;
      SELECT 200, CONCAT_WS(X'1F', id, event, status, attempts,
          outbox_subject(event, room_name, user_name, from_status, detail), COALESCE(HEX(reservation_id), ''), HEX(room_id),
          request_id, DATE_FORMAT(created_at, '%Y-%m-%dT%H:%i:%s.%fZ'), DATE_FORMAT(next_attempt_at, '%Y-%m-%dT%H:%i:%s.%fZ'),
          '', REPLACE(COALESCE(last_error, ''), X'1F', ' '))
        INTO v_status, v_fields FROM outbox_mail WHERE id = p_id;
    END IF;
    -- @record
  SET @loyalty_actor = NULL, @loyalty_request_id = NULL, @loyalty_at = NULL, @loyalty_reservation = NULL, @loyalty_reason = NULL;
  SELECT v_status, v_problem, v_replayed, v_fields;
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE outbox_retry TO 'loyalty_admin'@'__HOST__';
