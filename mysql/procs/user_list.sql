-- GET /v1/admin/users: by id, after p_after ('' for the first page); p_q: a part of the name, or NULL.  Case and accents are
-- folded (see fold), all else is exact; of nothing but marks: one column, marks.  Locks nothing.  A search reads on until the page is full: at worst all accounts.
DROP PROCEDURE IF EXISTS user_list;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE user_list(p_q VARCHAR(200), p_after VARBINARY(16), p_limit INT)
  READS SQL DATA
IF p_q IS NULL THEN
  SELECT id, name, role, bonus_points FROM user WHERE id > p_after ORDER BY id LIMIT p_limit;
ELSE
BEGIN
  DECLARE v_q VARBINARY(4000) DEFAULT fold(p_q);
  IF v_q = '' THEN
    SELECT 'marks';
  ELSE
    SELECT id, name, role, bonus_points FROM user FORCE INDEX (PRIMARY)
      WHERE id > p_after AND LOCATE(v_q, name_folded) > 0 ORDER BY id LIMIT p_limit;
  END IF;
END;
END IF$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE user_list TO 'loyalty_admin'@'__HOST__';
