-- PUT /v1/admin/users/{id}: make the account, with a balance of 0, or replace its name and role.
--
-- Refusals: user-not-found (it was erased), precondition-failed.  Columns: id, name, role, balance, made (1 or 0).  Locks: the user;
-- for another name, list_move behind it.
-- p_seen_*: the state that the caller's conditions were held against, as user_get.c reads it (an empty name: there was none);
-- NULL: any.  Where the account is no longer so, precondition-failed: the caller looks again.
-- Of two that make the same account at once the later gets a duplicate key error (1062) and starts again.
DROP PROCEDURE IF EXISTS user_put;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE user_put(
  p_actor VARCHAR(100), p_request_id VARCHAR(64), p_key BINARY(32), p_body BINARY(32),
  p_id BINARY(16), p_name VARCHAR(200), p_role VARCHAR(8),
  p_seen_name VARCHAR(200), p_seen_role VARCHAR(8), p_seen_balance BIGINT)
  MODIFIES SQL DATA
BEGIN
  -- @row
  DECLARE v_entity BINARY(16) DEFAULT p_id;
  DECLARE v_name VARCHAR(200);
  DECLARE v_role VARCHAR(8);
  DECLARE v_balance BIGINT;
  DECLARE v_erased TINYINT DEFAULT 0;
  -- @begin entity
  SELECT name, role, bonus_points, erased_at IS NOT NULL INTO v_name, v_role, v_balance, v_erased FROM user WHERE id = p_id FOR UPDATE;
  -- @context
  IF v_erased THEN
    -- @refuse_unkept 'user-not-found', NULL, NULL, NULL
  ELSEIF NOT (CAST(p_seen_name AS BINARY) = COALESCE(v_name, '') AND p_seen_role = v_role AND p_seen_balance = v_balance) THEN
    -- @refuse_unkept 'precondition-failed', NULL, NULL, NULL
  ELSEIF v_name IS NULL THEN
    INSERT INTO user (id, name, role, bonus_points) VALUES (p_id, p_name, p_role, 0);
  ELSEIF CAST(p_name AS BINARY) = v_name THEN
    UPDATE user FORCE INDEX (PRIMARY) SET role = p_role WHERE id = p_id;
  ELSE
    UPDATE list_move SET moves = LAST_INSERT_ID(moves + 1) WHERE list = 'user';
    UPDATE user FORCE INDEX (PRIMARY) SET name = p_name, role = p_role, name_folded = fold(p_name), renamed = LAST_INSERT_ID() WHERE id = p_id;
  END IF;
  -- @keep entity
  -- @answer p_id, p_name, p_role, COALESCE(v_balance, 0), v_balance IS NULL
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE user_put TO 'loyalty_admin'@'__HOST__';
