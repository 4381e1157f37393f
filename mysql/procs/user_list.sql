-- GET /v1/admin/users: by id, after p_after ('' for the first page); p_q: a part of the name, in any case, or NULL.
-- Locks nothing.  A search reads on until the page is full: at worst all accounts.
DROP PROCEDURE IF EXISTS user_list;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE user_list(p_q VARCHAR(200), p_after VARBINARY(16), p_limit INT)
  READS SQL DATA
IF p_q IS NULL THEN
  SELECT id, name, role, bonus_points FROM user WHERE id > p_after ORDER BY id LIMIT p_limit;
ELSE
  SELECT id, name, role, bonus_points FROM user
    WHERE id > p_after AND LOCATE(p_q COLLATE utf8mb4_unicode_ci, name COLLATE utf8mb4_unicode_ci) > 0
    ORDER BY id LIMIT p_limit;
END IF$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE user_list TO 'loyalty_admin'@'__HOST__';
