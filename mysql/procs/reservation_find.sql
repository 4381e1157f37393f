-- GET /v1/reservations?q=: those of the guests whose name has p_q as a part, newest first, before the id p_before; p_status may be
-- NULL.  Columns: as reservation_create; of more than 200 guests, or of nothing but marks, one column instead that says so.  Locks nothing.
--
-- The guests are found in their index of names; then each one's newest are read from the index of its own, no more than a page of them
-- and none that is older than a page of another's, and put into one order.  No guest, no reservation is read.
DROP PROCEDURE IF EXISTS reservation_find;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE reservation_find(
  p_q VARCHAR(200), p_status VARCHAR(16), p_before BINARY(16), p_limit INT)
  READS SQL DATA
BEGIN
  DECLARE v_q VARBINARY(4000) DEFAULT fold(p_q);
  DECLARE v_users, v_some, v_all LONGTEXT;
  DECLARE v_n, v_i INT DEFAULT 0;
  DECLARE v_user BINARY(16);
  DECLARE v_floor BINARY(16) DEFAULT X'00000000000000000000000000000000';

  IF v_q > '' THEN
    SELECT JSON_ARRAYAGG(HEX(id)), COUNT(*) INTO v_users, v_n FROM (
      SELECT id FROM user FORCE INDEX (user_name) WHERE name_folded >= '' AND LOCATE(v_q, name_folded) > 0 LIMIT 201) found;
  END IF;
  IF v_q = '' THEN
    SELECT 'marks';
  ELSEIF v_n > 200 THEN
    SELECT 'too many';
  ELSE
    WHILE v_i < v_n DO
      SET v_user = UNHEX(JSON_UNQUOTE(JSON_EXTRACT(v_users, CONCAT('$[', v_i, ']')))), v_i = v_i + 1;
      SELECT JSON_ARRAYAGG(HEX(id)), IF(COUNT(*) = p_limit, MIN(id), v_floor) INTO v_some, v_floor FROM (
        SELECT id FROM reservation FORCE INDEX (reservation_user)
          WHERE user_id = v_user AND id > v_floor AND id < p_before AND (p_status IS NULL OR status = p_status)
          ORDER BY id DESC LIMIT p_limit) newest;
      SET v_all = CONCAT_WS(',', NULLIF(v_all, ''), SUBSTRING(v_some, 2, CHAR_LENGTH(v_some) - 2));
    END WHILE;
    SELECT v.id, v.status, v.points, r.id, r.name, r.available_amount, r.required_points, u.id, u.name, u.role, v.created_at, v.updated_at
      FROM (SELECT UNHEX(j.id) AS id FROM JSON_TABLE(CONCAT('[', COALESCE(v_all, ''), ']'), '$[*]' COLUMNS (id CHAR(32) PATH '$')) j
          ORDER BY j.id DESC LIMIT p_limit) page
        STRAIGHT_JOIN reservation v ON v.id = page.id STRAIGHT_JOIN room r ON r.id = v.room_id STRAIGHT_JOIN user u ON u.id = v.user_id
      ORDER BY v.id DESC;
  END IF;
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE reservation_find TO 'loyalty_rooms'@'__HOST__';
