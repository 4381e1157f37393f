-- GET /v1/admin/users/{id}: no row where there is no such user.  Locks nothing.
DROP PROCEDURE IF EXISTS user_get;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE user_get(p_id BINARY(16))
  READS SQL DATA
  SELECT id, name, role, bonus_points FROM user WHERE id = p_id$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE user_get TO 'loyalty_admin'@'__HOST__';
