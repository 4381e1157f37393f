-- POST /v1/users/{id}/points: add p_amount (not 0, -10^9 to 10^9) to the balance of p_user.
--
-- 201; 404 user-not-found; 409 insufficient-points, balance-limit; 422 idempotency-key-reused.
-- Fields of a 201: user id, name, role, amount, balance.
-- Locks: the user.
DROP PROCEDURE IF EXISTS points_adjust;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE points_adjust(
  p_actor VARCHAR(100), p_request_id VARCHAR(64), p_key BINARY(32), p_body BINARY(32),
  p_user BINARY(16), p_amount INT, p_reason VARCHAR(200))
  MODIFIES SQL DATA
BEGIN
  -- @locals
  DECLARE v_user_name VARCHAR(200);
  DECLARE v_role VARCHAR(8);
  DECLARE v_balance BIGINT;
  DECLARE v_at DATETIME(6);
  DECLARE EXIT HANDLER FOR SQLEXCEPTION
  BEGIN
    ROLLBACK;
    SET @loyalty_actor = NULL, @loyalty_request_id = NULL, @loyalty_at = NULL, @loyalty_reason = NULL;
    RESIGNAL;
  END;

  SET @loyalty_actor = p_actor, @loyalty_request_id = p_request_id, @loyalty_reason = p_reason;
  START TRANSACTION;
  SELECT name, role, bonus_points INTO v_user_name, v_role, v_balance FROM user WHERE id = p_user FOR UPDATE;
  decide: BEGIN
    -- @key
    IF v_user_name IS NULL THEN
      SET v_status = 404, v_problem = 'user-not-found', v_fields = CONCAT(p_request_id, X'1F');
      LEAVE decide;
    END IF;

    SET v_at = UTC_TIMESTAMP(6);
    SET @loyalty_at = v_at;
    IF v_balance + p_amount < 0 THEN
      SET v_status = 409, v_problem = 'insufficient-points',
          v_fields = CONCAT_WS(X'1F', p_request_id,
            CONCAT('The balance is ', v_balance, ' points: ', -(v_balance + p_amount), ' too few.'));
    ELSEIF v_balance + p_amount > 9007199254740991 THEN
      SET v_status = 409, v_problem = 'balance-limit',
          v_fields = CONCAT_WS(X'1F', p_request_id, 'The balance would exceed 9007199254740991 points.');
    ELSE
      UPDATE user SET bonus_points = bonus_points + p_amount WHERE id = p_user;
      SET v_status = 201,
          v_fields = CONCAT_WS(X'1F', HEX(p_user), v_user_name, v_role, p_amount, v_balance + p_amount);
    END IF;
    -- @record
  SET @loyalty_actor = NULL, @loyalty_request_id = NULL, @loyalty_at = NULL, @loyalty_reason = NULL;
  SELECT v_status, v_problem, v_replayed, v_fields;
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE points_adjust TO 'loyalty_points'@'__HOST__';
