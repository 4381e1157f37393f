-- What became of a mail: SENT; RETRY, due again in p_delay_s seconds; or DEAD, never again by itself.
-- p_error: the server's reply or the reason, or NULL; of a SENT mail, who was refused.  p_recipients: of a mail to
-- RETRY, who needs it no more (see outbox.recipients), or NULL.
-- Counts an attempt.  SENT and DEAD let the reservation's next mail go.  Only while the row is leased to
-- p_owner (or was, and nobody has taken it since).  One row: settled, 1 or 0.
-- Locks: the outbox row, then the next one of the same reservation.
DROP PROCEDURE IF EXISTS outbox_settle;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE outbox_settle(
  p_id BIGINT, p_owner BINARY(16), p_outcome VARCHAR(8), p_error VARCHAR(1000), p_delay_s INT,
  p_recipients VARCHAR(6000) CHARSET ascii COLLATE ascii_bin)
  MODIFIES SQL DATA
BEGIN
  DECLARE v_now DATETIME(6) DEFAULT UTC_TIMESTAMP(6);
  DECLARE v_again DATETIME(6) DEFAULT IF(p_outcome = 'RETRY', v_now + INTERVAL p_delay_s SECOND, NULL);
  DECLARE v_settled INT DEFAULT 0;
  DECLARE v_last, v_next BIGINT;
  DECLARE v_reservation BINARY(16);
  DECLARE EXIT HANDLER FOR SQLEXCEPTION
  BEGIN
    ROLLBACK;
    RESIGNAL;
  END;

  IF p_outcome NOT IN ('SENT', 'RETRY', 'DEAD') THEN
    SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'outbox_settle: outcome is SENT, RETRY or DEAD';
  END IF;
  START TRANSACTION;
  UPDATE outbox FORCE INDEX (PRIMARY) SET status = IF(p_outcome = 'RETRY', 'PENDING', p_outcome), attempts = attempts + 1,
      due_at = v_again, next_attempt_at = v_again, lease_owner = NULL,
      sent_at = IF(p_outcome = 'SENT', v_now, NULL), last_error = COALESCE(p_error, last_error),
      recipients = IF(p_outcome = 'RETRY', p_recipients, NULL)
    WHERE id = p_id AND status = 'PENDING' AND lease_owner = p_owner;
  SET v_settled = ROW_COUNT();
  IF v_settled = 1 AND p_outcome <> 'RETRY' THEN
    SELECT o.reservation_id, MAX(h.mail_id) INTO v_reservation, v_last
      FROM outbox o STRAIGHT_JOIN loyalty_history.reservation_history h ON h.reservation_id = o.reservation_id WHERE o.id = p_id
      GROUP BY o.reservation_id;
    IF v_last > p_id THEN
      SELECT MIN(o.id) INTO v_next
        FROM loyalty_history.reservation_history h STRAIGHT_JOIN outbox o FORCE INDEX (PRIMARY) ON o.id = h.mail_id
        WHERE h.reservation_id = v_reservation AND o.status = 'PENDING';
      UPDATE outbox FORCE INDEX (PRIMARY) SET due_at = next_attempt_at WHERE id = v_next AND status = 'PENDING' AND due_at IS NULL;
    END IF;
  END IF;
  COMMIT;
  SELECT v_settled AS settled;
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE outbox_settle TO 'loyalty_notifier'@'__HOST__';
