-- GET /v1/admin/users with sort: accounts behind p_after (NULL: from the beginning) in the order p_sort: -id, name, bonus_points, the last
-- two also with - in front; names as they are folded, what is equal by id.  p_q: a part of the name, or NULL.
-- Columns: id, name, role, balance, folded name, mark; where p_q is of nothing but marks, one: marks.
--
-- Pages go on as those of room_find: p_key is the balance or folded name of the last row, p_mark what had been changed when the
-- first page was read.  Of balances that is the last row of their history.  Its ids are in no order of commits, so the first page waits
-- for those who have a smaller one and have not committed yet (on a read-only server, where there is nobody, it may be refused to): by shared
-- locks on the latest rows, which nobody who writes waits for.  Names, and other pages, lock nothing.
-- Names are read from their index; balances have none (each reservation would pay for it), so all accounts are read and sorted.
DROP PROCEDURE IF EXISTS user_find;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE user_find(
  p_q VARCHAR(200), p_sort VARCHAR(20), p_after BINARY(16), p_key VARBINARY(2400), p_mark BIGINT, p_limit INT)
  READS SQL DATA
BEGIN
  DECLARE v_latest BIGINT;
  DECLARE v_q VARBINARY(4000) DEFAULT COALESCE(fold(p_q), '');
  DECLARE v_down TINYINT DEFAULT p_sort LIKE '-%';
  DECLARE v_mark BIGINT DEFAULT p_mark;
  DECLARE v_seen BIGINT DEFAULT COALESCE(p_mark, 9223372036854775807);
  -- below or above all that there is
  DECLARE v_after VARBINARY(17) DEFAULT COALESCE(p_after, IF(p_sort = '-id', X'FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF', ''));
  DECLARE v_name VARBINARY(2400) DEFAULT COALESCE(p_key, IF(v_down, X'FF', ''));
  DECLARE v_balance BIGINT DEFAULT IF(p_sort NOT LIKE '%bonus_points' OR p_key IS NULL, IF(v_down, 9223372036854775807, -1), p_key);

  IF p_mark IS NULL AND p_sort LIKE '%bonus_points' THEN
    SELECT COALESCE(MAX(id), 0) INTO v_mark FROM loyalty_history.points_history;
    BEGIN
      DECLARE EXIT HANDLER FOR 1290 BEGIN END;
      SELECT MAX(id) INTO v_latest FROM (
        SELECT id FROM loyalty_history.points_history FORCE INDEX (PRIMARY) WHERE id <= v_mark ORDER BY id DESC LIMIT 10000 LOCK IN SHARE MODE) latest;
    END;
  ELSEIF p_mark IS NULL THEN
    SELECT moves INTO v_mark FROM list_move WHERE list = 'user';
  END IF;
  CASE IF(p_q IS NOT NULL AND v_q = '', '', p_sort)
  WHEN '' THEN
    SELECT 'marks';
  WHEN '-id' THEN
    -- @users_found PRIMARY
      AND id < v_after ORDER BY id DESC LIMIT p_limit;
  WHEN 'name' THEN
    -- @users_found user_name
      AND renamed <= v_seen AND (name_folded > v_name OR (name_folded = v_name AND id > v_after)) ORDER BY name_folded, id LIMIT p_limit;
  WHEN '-name' THEN
    -- @users_found user_name_down
      AND renamed <= v_seen AND (name_folded < v_name OR (name_folded = v_name AND id > v_after)) ORDER BY name_folded DESC, id LIMIT p_limit;
  WHEN 'bonus_points' THEN
    -- @users_found PRIMARY
      AND (bonus_points > v_balance OR (bonus_points = v_balance AND id > v_after))
      AND (p_mark IS NULL OR COALESCE((SELECT h.id FROM loyalty_history.points_history h FORCE INDEX (points_history_user)
        WHERE h.user_id = user.id ORDER BY h.changed_at DESC, h.id DESC LIMIT 1), 0) <= v_seen)
      ORDER BY bonus_points, id LIMIT p_limit;
  WHEN '-bonus_points' THEN
    -- @users_found PRIMARY
      AND (bonus_points < v_balance OR (bonus_points = v_balance AND id > v_after))
      AND (p_mark IS NULL OR COALESCE((SELECT h.id FROM loyalty_history.points_history h FORCE INDEX (points_history_user)
        WHERE h.user_id = user.id ORDER BY h.changed_at DESC, h.id DESC LIMIT 1), 0) <= v_seen)
      ORDER BY bonus_points DESC, id LIMIT p_limit;
  END CASE;
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE user_find TO 'loyalty_admin'@'__HOST__';
