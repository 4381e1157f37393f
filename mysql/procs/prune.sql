-- Deletes idempotency records older than 48 hours and mails sent more than 30 days ago.
-- At most p_batch rows of each in a call; call it until it answers 0.  One row: pruned, how many.
-- outbox_pruned keeps the highest id that is gone, so that an audit knows what it can't see any more.
-- Looks at the p_batch lowest ids only, so it needs no index on sent_at.  Locks: the rows that it looks at.
DROP PROCEDURE IF EXISTS prune;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE prune(p_batch INT)
  MODIFIES SQL DATA
BEGIN
  DECLARE v_now DATETIME(6) DEFAULT UTC_TIMESTAMP(6);
  DECLARE v_pruned INT DEFAULT 0;
  DECLARE v_ids LONGTEXT;
  DECLARE v_max BIGINT;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION
  BEGIN
    ROLLBACK;
    RESIGNAL;
  END;

  DELETE FROM idempotency WHERE created_at < v_now - INTERVAL 48 HOUR ORDER BY created_at LIMIT p_batch;
  SET v_pruned = ROW_COUNT();

  START TRANSACTION;
  SELECT JSON_ARRAYAGG(id), MAX(id) INTO v_ids, v_max FROM (
    SELECT id, sent_at FROM outbox FORCE INDEX (outbox_due) WHERE status = 'SENT' AND due_at IS NULL
      ORDER BY id LIMIT p_batch FOR UPDATE SKIP LOCKED) oldest
    WHERE sent_at < v_now - INTERVAL 30 DAY;
  IF v_ids IS NOT NULL THEN
    INSERT INTO outbox_pruned (id, highest, pruned, pruned_at) VALUES (1, v_max, JSON_LENGTH(v_ids), v_now)
      ON DUPLICATE KEY UPDATE highest = GREATEST(highest, v_max), pruned = pruned + JSON_LENGTH(v_ids), pruned_at = v_now;
    DELETE o FROM JSON_TABLE(v_ids, '$[*]' COLUMNS (id BIGINT PATH '$')) old STRAIGHT_JOIN outbox o ON o.id = old.id;
    SET v_pruned = v_pruned + JSON_LENGTH(v_ids);
  END IF;
  COMMIT;
  SELECT v_pruned AS pruned;
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE prune TO 'loyalty_prune'@'__HOST__';
