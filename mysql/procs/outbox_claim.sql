-- The notifier takes up to p_batch due mails for p_lease_s seconds: longest due first, at most one of a
-- reservation (the triggers see to that).  Committed before anything is sent; a lease that runs out makes
-- the row due again.  Skips what another notifier has locked, so it never waits.
-- Locks: the claimed outbox rows.  Time is the database's.  The rows are read before the COMMIT: where that fails (a migration
-- has taken outbox_subject away for a moment), nothing is claimed.
DROP PROCEDURE IF EXISTS outbox_claim;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE outbox_claim(
  p_owner BINARY(16), p_batch INT, p_lease_s INT)
  MODIFIES SQL DATA
BEGIN
  DECLARE v_now DATETIME(6) DEFAULT UTC_TIMESTAMP(6);
  DECLARE v_ids LONGTEXT;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION
  BEGIN
    ROLLBACK;
    RESIGNAL;
  END;

  START TRANSACTION;
  SELECT JSON_ARRAYAGG(id) INTO v_ids FROM (
    SELECT id FROM outbox FORCE INDEX (outbox_due) WHERE status = 'PENDING' AND due_at <= v_now
      ORDER BY due_at, id LIMIT p_batch FOR UPDATE SKIP LOCKED) due;
  IF v_ids IS NOT NULL THEN
    UPDATE JSON_TABLE(v_ids, '$[*]' COLUMNS (id BIGINT PATH '$')) claimed STRAIGHT_JOIN outbox o FORCE INDEX (PRIMARY) ON o.id = claimed.id
      SET o.lease_owner = p_owner, o.due_at = v_now + INTERVAL p_lease_s SECOND;
  END IF;
  SELECT o.id, o.event, o.reservation_id, o.room_id, o.room_name, o.room_total, o.room_available, o.room_points,
      o.room_archived, o.user_id, o.user_name, o.user_points, o.from_status, o.to_status, o.points,
      outbox_subject(o.event, o.room_name, o.user_name, o.from_status, o.detail) AS subject, o.detail,
      o.actor, o.request_id, DATE_FORMAT(o.created_at, '%Y-%m-%dT%H:%i:%s.%fZ') AS created_at, o.attempts,
      GREATEST(0, TIMESTAMPDIFF(SECOND, COALESCE(o.queued_at, o.created_at), v_now)) AS age_s,
      o.recipients
    FROM JSON_TABLE(COALESCE(v_ids, '[]'), '$[*]' COLUMNS (id BIGINT PATH '$')) claimed STRAIGHT_JOIN outbox o FORCE INDEX (PRIMARY) ON o.id = claimed.id
    ORDER BY o.next_attempt_at, o.id;
  COMMIT;
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE outbox_claim TO 'loyalty_notifier'@'__HOST__';
