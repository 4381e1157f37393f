-- PUT /v1/admin/users/{id}: make the account, with a balance of 0, or replace its name and role.
--
-- 201 or 200; 412 precondition-failed.  Fields: id, name, role, balance.  Locks: the user.
-- p_seen: the state that the caller's conditions were held against, as user_get.c reads it (its columns but the id, joined
-- with U+001F; empty: there was none); NULL: any.  Where the account is no longer so, 412: the caller looks again.
-- Of two that make the same account at once the later gets a duplicate key error (1062) and starts again.
DROP PROCEDURE IF EXISTS user_put;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE user_put(
  p_actor VARCHAR(100), p_request_id VARCHAR(64), p_key BINARY(32), p_body BINARY(32),
  p_id BINARY(16), p_name VARCHAR(200), p_role VARCHAR(8), p_seen VARBINARY(2000))
  MODIFIES SQL DATA
BEGIN
  DECLARE v_balance BIGINT;
  DECLARE v_name VARCHAR(200);
  DECLARE v_role VARCHAR(8);
  DECLARE v_problem VARCHAR(40) DEFAULT '';
  DECLARE v_fields VARBINARY(2000);
  DECLARE v_status SMALLINT DEFAULT 200;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION
  BEGIN
    ROLLBACK;
    SET @loyalty_actor = NULL, @loyalty_request_id = NULL, @loyalty_at = NULL, @loyalty_reservation = NULL, @loyalty_reason = NULL;
    RESIGNAL;
  END;

  SET @loyalty_actor = p_actor, @loyalty_request_id = p_request_id;
  START TRANSACTION;
  SELECT name, role, bonus_points INTO v_name, v_role, v_balance FROM user WHERE id = p_id FOR UPDATE;
  IF p_seen <> CONCAT_WS(X'1F', v_name, v_role, v_balance) THEN
    SET v_status = 412, v_problem = 'precondition-failed', v_fields = CONCAT(p_request_id, X'1F');
  ELSEIF v_balance IS NULL THEN
    INSERT INTO user (id, name, role, bonus_points) VALUES (p_id, p_name, p_role, 0);
    SET v_status = 201, v_balance = 0;
  ELSE
    UPDATE user SET name = p_name, role = p_role WHERE id = p_id;
  END IF;
  IF v_problem = '' THEN
    SET v_fields = CONCAT_WS(X'1F', HEX(p_id), p_name, p_role, v_balance);
  END IF;
  COMMIT;
  SET @loyalty_actor = NULL, @loyalty_request_id = NULL, @loyalty_at = NULL, @loyalty_reservation = NULL, @loyalty_reason = NULL;
  SELECT v_status, v_problem, 0, v_fields;
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE user_put TO 'loyalty_admin'@'__HOST__';
