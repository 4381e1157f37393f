-- POST /v1/users/{id}/points: add p_amount (not 0, -10^9 to 10^9) to the balance of p_user.
--
-- Refusals: user-not-found, insufficient-points (balance, how many are too few), balance-limit.
-- Columns: user id, name, role, amount, balance.  Locks: the user.
DROP PROCEDURE IF EXISTS points_adjust;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE points_adjust(
  p_actor VARCHAR(100), p_request_id VARCHAR(64), p_key BINARY(32), p_body BINARY(32),
  p_user BINARY(16), p_amount INT, p_reason VARCHAR(200))
  MODIFIES SQL DATA
BEGIN
  DECLARE v_user_name VARCHAR(200);
  DECLARE v_role VARCHAR(8);
  DECLARE v_bonus_points BIGINT;
  -- @begin
  SELECT name, role, bonus_points + p_amount INTO v_user_name, v_role, v_bonus_points FROM user WHERE id = p_user FOR UPDATE;
  -- @context, @loyalty_reason = p_reason
  IF v_user_name IS NULL THEN
    SET v_problem = 'user-not-found';
  ELSEIF v_bonus_points < 0 THEN
    SET v_problem = 'insufficient-points', v_n = v_bonus_points - p_amount, v_m = -v_bonus_points;
  ELSEIF v_bonus_points > 9007199254740991 THEN
    SET v_problem = 'balance-limit';
  ELSE
    UPDATE user SET bonus_points = bonus_points + p_amount WHERE id = p_user;
  END IF;
  -- @keep user_name, role, bonus_points
  -- @answer p_user, v_user_name, v_role, p_amount, v_bonus_points
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE points_adjust TO 'loyalty_points'@'__HOST__';
