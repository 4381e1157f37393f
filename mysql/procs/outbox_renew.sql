-- Just before a mail goes out: is the lease still ours?  If so it begins anew, for p_lease_s seconds.
-- One row: held, 1 or 0.  Locks: the outbox row.
DROP PROCEDURE IF EXISTS outbox_renew;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE outbox_renew(p_id BIGINT, p_owner BINARY(16), p_lease_s INT)
  MODIFIES SQL DATA
BEGIN
  DECLARE v_now DATETIME(6) DEFAULT UTC_TIMESTAMP(6);
  UPDATE outbox FORCE INDEX (PRIMARY) SET due_at = v_now + INTERVAL p_lease_s SECOND
    WHERE id = p_id AND status = 'PENDING' AND lease_owner = p_owner AND due_at > v_now;
  SELECT ROW_COUNT() AS held;
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE outbox_renew TO 'loyalty_notifier'@'__HOST__';
