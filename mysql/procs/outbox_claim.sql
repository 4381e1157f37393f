-- The notifier takes up to p_batch due mails for p_lease_s seconds: longest due first, at most one of a
-- reservation (the triggers see to that).  Committed before anything is sent; a lease that runs out makes
-- the row due again.  Skips what another notifier has locked, so it never waits.
-- Where the clock went back, what waits for a time waits no longer than it had to: outbox_clock tells.
-- Locks: the claimed outbox rows; after ten seconds outbox_clock's one, and after a jump back all that are pending.  Time is the database's.  What the mails say is read before the COMMIT: where that fails (a
-- migration has taken outbox_mail away for a moment), nothing is claimed.  The LIMIT makes a table of it: each name is looked up once.
-- A function call costs more than a lookup, so the name that the change itself wrote down, or that is the last one, comes first.
DROP PROCEDURE IF EXISTS outbox_claim;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE outbox_claim(
  p_owner BINARY(16), p_batch INT, p_lease_s INT)
  MODIFIES SQL DATA
BEGIN
  DECLARE v_now DATETIME(6) DEFAULT UTC_TIMESTAMP(6);
  DECLARE v_seen DATETIME(6) DEFAULT (SELECT seen_at FROM outbox_clock WHERE id = 1);
  DECLARE v_back BIGINT;
  DECLARE v_ids LONGTEXT;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION
  BEGIN
    ROLLBACK;
    RESIGNAL;
  END;

  IF v_seen NOT BETWEEN v_now - INTERVAL 10 SECOND AND v_now + INTERVAL 1 SECOND THEN
    START TRANSACTION;
    SELECT seen_at, UTC_TIMESTAMP(6), TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(6), seen_at) INTO v_seen, v_now, v_back
      FROM outbox_clock WHERE id = 1 FOR UPDATE;
    IF v_back > 1000000 THEN
      UPDATE outbox SET
          due_at = IF(attempts = 0 AND lease_owner IS NULL, LEAST(due_at, v_now), IF(due_at > v_now, due_at - INTERVAL v_back MICROSECOND, due_at)),
          next_attempt_at = IF(attempts = 0, LEAST(next_attempt_at, v_now),
            IF(next_attempt_at > v_now, next_attempt_at - INTERVAL v_back MICROSECOND, next_attempt_at))
        WHERE status = 'PENDING' AND (due_at > v_now OR next_attempt_at > v_now);
    END IF;
    UPDATE outbox_clock SET seen_at = v_now WHERE id = 1;
    COMMIT;
  END IF;

  START TRANSACTION;
  SELECT JSON_ARRAYAGG(id) INTO v_ids FROM (
    SELECT id FROM outbox FORCE INDEX (outbox_due) WHERE status = 'PENDING' AND due_at <= v_now
      ORDER BY due_at, id LIMIT p_batch FOR UPDATE SKIP LOCKED) due;
  IF v_ids IS NOT NULL THEN
    UPDATE JSON_TABLE(v_ids, '$[*]' COLUMNS (id BIGINT PATH '$')) claimed STRAIGHT_JOIN outbox o FORCE INDEX (PRIMARY) ON o.id = claimed.id
      SET o.lease_owner = p_owner, o.due_at = v_now + INTERVAL p_lease_s SECOND;
  END IF;
  SELECT n.id, n.event, n.reservation_id, n.room_id, n.room_name, n.total_amount, n.available_amount, n.required_points, n.archived,
      n.user_id, n.user_name, n.bonus_points, n.from_status, n.to_status, n.points,
      n.reason, n.from_total, n.to_total, n.from_archived, n.to_archived,
      n.actor, n.request_id, DATE_FORMAT(n.created_at, '%Y-%m-%dT%H:%i:%s.%fZ') AS created_at, o.attempts,
      GREATEST(0, TIMESTAMPDIFF(SECOND, COALESCE(o.queued_at, o.created_at), v_now)) AS age_s, o.recipients,
      n.subject_room, n.subject_user
    FROM (SELECT m.id, m.event, m.reservation_id, m.room_id, m.user_id, m.from_status, m.to_status, m.points, m.reason,
        m.from_total, m.to_total, m.from_archived, m.to_archived,
        m.actor, m.request_id,
        m.created_at, m.total_amount, m.available_amount, m.required_points, m.archived, m.bonus_points,
        -- @subject_names
        -- @mail_names
      FROM JSON_TABLE(COALESCE(v_ids, '[]'), '$[*]' COLUMNS (id BIGINT PATH '$')) claimed
        STRAIGHT_JOIN outbox_mail m ON m.id = claimed.id LIMIT 18446744073709551615) n
      STRAIGHT_JOIN outbox o FORCE INDEX (PRIMARY) ON o.id = n.id
    ORDER BY o.next_attempt_at, o.id;
  COMMIT;
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE outbox_claim TO 'loyalty_notifier'@'__HOST__';
