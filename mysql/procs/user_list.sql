-- GET /v1/admin/users: by id, after p_after ('' for the first page); p_q: a part of the name, or NULL.  Case and accents are
-- folded (see fold), all else is exact.  Locks nothing.  A search reads on until the page is full: at worst all accounts.
-- What is ASCII needs no table; fold costs a name with other letters some 0.1 ms.
DROP PROCEDURE IF EXISTS user_list;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE user_list(p_q VARCHAR(200), p_after VARBINARY(16), p_limit INT)
  READS SQL DATA
IF p_q IS NULL THEN
  SELECT id, name, role, bonus_points FROM user WHERE id > p_after ORDER BY id LIMIT p_limit;
ELSE
BEGIN
  DECLARE v_q VARBINARY(4000) DEFAULT fold(p_q);
  SELECT id, name, role, bonus_points FROM user
    WHERE id > p_after
      AND LOCATE(v_q, IF(LENGTH(name) = CHAR_LENGTH(name), CAST(LOWER(name) AS BINARY), fold(name))) > 0
    ORDER BY id LIMIT p_limit;
END;
END IF$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE user_list TO 'loyalty_admin'@'__HOST__';
