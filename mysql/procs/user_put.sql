-- PUT /v1/admin/users/{id}: make the account, with a balance of 0, or replace its name and role.
--
-- 201 or 200.  Fields: id, name, role, balance.  Locks: the user.
-- Of two that make the same account at once the later gets a duplicate key error (1062) and starts again.
DROP PROCEDURE IF EXISTS user_put;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE user_put(
  p_actor VARCHAR(100), p_request_id VARCHAR(64), p_key BINARY(32), p_body BINARY(32),
  p_id BINARY(16), p_name VARCHAR(200), p_role VARCHAR(8))
  MODIFIES SQL DATA
BEGIN
  DECLARE v_balance BIGINT;
  DECLARE v_status SMALLINT DEFAULT 200;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION
  BEGIN
    ROLLBACK;
    SET @loyalty_actor = NULL, @loyalty_request_id = NULL, @loyalty_at = NULL, @loyalty_reservation = NULL, @loyalty_reason = NULL;
    RESIGNAL;
  END;

  SET @loyalty_actor = p_actor, @loyalty_request_id = p_request_id;
  START TRANSACTION;
  SELECT bonus_points INTO v_balance FROM user WHERE id = p_id FOR UPDATE;
  IF v_balance IS NULL THEN
    INSERT INTO user (id, name, role, bonus_points) VALUES (p_id, p_name, p_role, 0);
    SET v_status = 201, v_balance = 0;
  ELSE
    UPDATE user SET name = p_name, role = p_role WHERE id = p_id;
  END IF;
  COMMIT;
  SET @loyalty_actor = NULL, @loyalty_request_id = NULL, @loyalty_at = NULL, @loyalty_reservation = NULL, @loyalty_reason = NULL;
  SELECT v_status, '', 0, CAST(CONCAT_WS(X'1F', HEX(p_id), p_name, p_role, v_balance) AS BINARY);
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE user_put TO 'loyalty_admin'@'__HOST__';
