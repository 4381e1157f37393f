-- Deletes idempotency records older than p_keys_h hours (24 at least, as the contract has it), mails sent more than p_sent_d days ago,
-- and mails that are DEAD and were queued more than p_dead_d days ago (1 at least, each).
-- At most p_batch rows of each in a call; call it until it answers 0.  One row: pruned, how many.
-- outbox_pruned keeps the highest id that is gone, so that an audit knows what it can't see any more.
-- Looks at the p_batch lowest ids of a status only, so it needs no index on a time.  Locks: the rows that it looks at.
DROP PROCEDURE IF EXISTS prune_aged;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE prune_aged(p_batch INT, p_keys_h INT, p_sent_d INT, p_dead_d INT)
  MODIFIES SQL DATA
BEGIN
  DECLARE v_now DATETIME(6) DEFAULT UTC_TIMESTAMP(6);
  DECLARE v_status VARCHAR(8) DEFAULT 'SENT';
  DECLARE v_before DATETIME(6) DEFAULT v_now - INTERVAL GREATEST(p_sent_d, 1) DAY;
  DECLARE v_pruned INT DEFAULT 0;
  DECLARE v_ids LONGTEXT;
  DECLARE v_max BIGINT;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION
  BEGIN
    ROLLBACK;
    RESIGNAL;
  END;

  DELETE FROM idempotency WHERE created_at < v_now - INTERVAL GREATEST(p_keys_h, 24) HOUR ORDER BY created_at LIMIT p_batch;
  SET v_pruned = ROW_COUNT();

  statuses: LOOP
    START TRANSACTION;
    SELECT JSON_ARRAYAGG(id), MAX(id) INTO v_ids, v_max FROM (
      SELECT id, COALESCE(sent_at, queued_at, created_at) AS ended_at FROM outbox FORCE INDEX (outbox_due) WHERE status = v_status AND due_at IS NULL
        ORDER BY id LIMIT p_batch FOR UPDATE SKIP LOCKED) oldest
      WHERE ended_at < v_before;
    IF v_ids IS NOT NULL THEN
      INSERT INTO outbox_pruned (id, highest, pruned, pruned_at) VALUES (1, v_max, JSON_LENGTH(v_ids), v_now)
        ON DUPLICATE KEY UPDATE highest = GREATEST(highest, v_max), pruned = pruned + JSON_LENGTH(v_ids), pruned_at = v_now;
      DELETE o FROM JSON_TABLE(v_ids, '$[*]' COLUMNS (id BIGINT PATH '$')) old STRAIGHT_JOIN outbox o ON o.id = old.id;
      SET v_pruned = v_pruned + JSON_LENGTH(v_ids);
    END IF;
    COMMIT;
    IF v_status = 'DEAD' THEN
      LEAVE statuses;
    END IF;
    SET v_status = 'DEAD', v_before = v_now - INTERVAL GREATEST(p_dead_d, 1) DAY;
  END LOOP;
  SELECT v_pruned AS pruned;
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE prune_aged TO 'loyalty_prune'@'__HOST__';
