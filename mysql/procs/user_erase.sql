-- POST /v1/admin/users/{id}/erase: forget whose account it is, and close it.
--
-- Requests that are PENDING_APPROVAL are CANCELLED; a balance goes to 0 by a row with the reason Erased; the name becomes Erased, the
-- role USER; in the history of the account all names become Erased, in those of its points and reservations the reasons become NULL; what
-- mail servers said of its mails, which may quote a subject, becomes NULL.  Ids, numbers, times and actors stay.  What mails say is read
-- from the histories, so no name is left there.  Of an account that is erased already nothing changes.
-- This procedure alone runs as loyalty_eraser, which alone may change a history, and there these columns only (accounts.sql).
--
-- Refusals: user-not-found, user-has-reservations (how many are RESERVED).  Columns: id, name, role, balance.
-- Locks: the user, which everything that changes its points and reservations locks first, then its reservations, then inserts
-- (and list_move, history and outbox rows of its reservations).  Costs what the account's history costs to read.
DROP PROCEDURE IF EXISTS user_erase;
DELIMITER $$
CREATE DEFINER = 'loyalty_eraser'@'localhost' PROCEDURE user_erase(
  p_actor VARCHAR(100), p_request_id VARCHAR(64), p_key BINARY(32), p_body BINARY(32),
  p_id BINARY(16), p_reason VARCHAR(200))
  MODIFIES SQL DATA
BEGIN
  -- @row
  DECLARE v_entity BINARY(16) DEFAULT p_id;
  DECLARE v_erased TINYINT;
  DECLARE v_reserved BIGINT;
  -- @begin entity
  SELECT erased_at IS NOT NULL INTO v_erased FROM user WHERE id = p_id FOR UPDATE;
  SELECT COUNT(*) INTO v_reserved FROM reservation FORCE INDEX (reservation_user) WHERE user_id = p_id AND status = 'RESERVED';
  -- @context
  IF v_erased IS NULL THEN
    -- @refuse_unkept 'user-not-found', NULL, NULL, NULL
  ELSEIF v_reserved > 0 THEN
    -- @refuse 'user-has-reservations', NULL, v_reserved, NULL
  ELSEIF v_erased = 0 THEN
    UPDATE reservation FORCE INDEX (reservation_user) SET status = 'CANCELLED', updated_at = @loyalty_at
      WHERE user_id = p_id AND status = 'PENDING_APPROVAL';
    UPDATE reservation v FORCE INDEX (reservation_user)
        STRAIGHT_JOIN loyalty_history.reservation_history h FORCE INDEX (reservation_history_reservation) ON h.reservation_id = v.id
      SET h.reason = NULL WHERE v.user_id = p_id AND h.reason IS NOT NULL;
    UPDATE reservation v FORCE INDEX (reservation_user)
        STRAIGHT_JOIN loyalty_history.reservation_history h FORCE INDEX (reservation_history_reservation) ON h.reservation_id = v.id
        STRAIGHT_JOIN outbox o FORCE INDEX (PRIMARY) ON o.id = h.mail_id
      SET o.last_error = NULL WHERE v.user_id = p_id AND o.last_error IS NOT NULL;
    UPDATE loyalty_history.points_history FORCE INDEX (points_history_user) SET reason = NULL
      WHERE user_id = p_id AND reason IS NOT NULL;
    SET @loyalty_reason = 'Erased';
    UPDATE user SET bonus_points = 0 WHERE id = p_id;
    SET @loyalty_reason = p_reason;
    UPDATE list_move SET moves = LAST_INSERT_ID(moves + 1) WHERE list = 'user';
    UPDATE user SET name = 'Erased', name_folded = 'erased', renamed = LAST_INSERT_ID(), role = 'USER', erased_at = @loyalty_at WHERE id = p_id;
    UPDATE loyalty_history.user_history FORCE INDEX (user_history_user)
      SET from_name = IF(from_name IS NULL, NULL, 'Erased'), to_name = 'Erased' WHERE user_id = p_id;
  END IF;
  -- @keep entity
  -- @answer p_id, 'Erased', 'USER', 0
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE user_erase TO 'loyalty_admin'@'__HOST__';
GRANT EXECUTE ON PROCEDURE user_erase TO 'loyalty_eraser'@'localhost';
