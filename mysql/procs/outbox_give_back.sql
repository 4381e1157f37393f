-- A notifier that stops, or can't reach its relay, gives back what it has claimed and not sent: due at
-- once again, no attempt counted.  One row: given_back, how many.  Locks: those outbox rows.
DROP PROCEDURE IF EXISTS outbox_give_back;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE outbox_give_back(p_owner BINARY(16))
  MODIFIES SQL DATA
BEGIN
  UPDATE outbox FORCE INDEX (outbox_due) SET lease_owner = NULL, due_at = next_attempt_at
    WHERE status = 'PENDING' AND due_at > UTC_TIMESTAMP(6) AND lease_owner = p_owner;
  SELECT ROW_COUNT() AS given_back;
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE outbox_give_back TO 'loyalty_notifier'@'__HOST__';
