-- POST /v1/users/{id}/points: add p_amount (not 0, -10^9 to 10^9) to the balance of p_user.
--
-- Refusals: user-not-found, insufficient-points (balance, how many are too few), balance-limit.
-- Locks: the user.
DROP PROCEDURE IF EXISTS points_adjust;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE points_adjust(
  p_actor VARCHAR(100), p_request_id VARCHAR(64), p_key BINARY(32), p_body BINARY(32),
  p_user BINARY(16), p_amount INT, p_reason VARCHAR(200),
  OUT v_replayed TINYINT, OUT v_user_name VARCHAR(200), OUT v_role VARCHAR(8), OUT v_bonus_points BIGINT)
  MODIFIES SQL DATA
BEGIN
  -- @begin user_name, role, bonus_points
  -- The context without its time: what the trigger takes in its place is that of the UPDATE, when the lock is held.
  SELECT p_actor, p_request_id, p_reason, name, role, bonus_points + p_amount
    INTO @loyalty_actor, @loyalty_request_id, @loyalty_reason, v_user_name, v_role, v_bonus_points
    FROM user FORCE INDEX (PRIMARY) WHERE id = p_user AND erased_at IS NULL FOR UPDATE;
  IF v_bonus_points BETWEEN 0 AND 9007199254740991 THEN
    UPDATE user FORCE INDEX (PRIMARY) SET bonus_points = bonus_points + p_amount WHERE id = p_user;
  ELSEIF v_user_name IS NULL THEN
    -- @refuse_unkept 'user-not-found', NULL, NULL, NULL
  ELSEIF v_bonus_points < 0 THEN
    -- @refuse 'insufficient-points', NULL, v_bonus_points - p_amount, -v_bonus_points
  ELSE
    -- @refuse 'balance-limit', NULL, NULL, NULL
  END IF;
  -- @keep user_name, role, bonus_points
  -- @clear
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE points_adjust TO 'loyalty_points'@'__HOST__';
