-- GET /v1/rooms and /v1/admin/rooms with max_points, q or sort: rooms behind p_after (NULL: from the beginning) in the order
-- p_sort: id, name, required_points, each also with - in front; names as they are folded, what is equal by id.  p_archived: 1, with
-- the archived ones; p_available: 1, only those of which a unit is left; p_max: price at most, or NULL; p_q: a part of the name, or NULL.
-- Columns: id, name, available, price, total, archived, folded name, mark; where p_q is of nothing but marks, one: marks.  Locks nothing.
--
-- A page goes on behind the last row as it was then: p_key is the price or folded name that it had, p_mark the mark.  That is how
-- many names and prices had been changed when the first page was read; who has moved since is left out of all others, so nobody is
-- there twice.  Such a change holds list_move up to its COMMIT, so what has a smaller number is visible.
--
-- Each order reads its index from where the page begins, filters what stands in the index, and looks a room up only where it
-- passes.  reservable is in no index but its own (a reservation changes it), so for p_available all rooms are read and sorted.
DROP PROCEDURE IF EXISTS room_find;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE room_find(
  p_archived TINYINT, p_available TINYINT, p_max BIGINT, p_q VARCHAR(200), p_sort VARCHAR(20),
  p_after BINARY(16), p_key VARBINARY(2400), p_mark BIGINT, p_limit INT)
  READS SQL DATA
BEGIN
  DECLARE v_q VARBINARY(4000) DEFAULT COALESCE(fold(p_q), '');
  DECLARE v_max BIGINT DEFAULT COALESCE(p_max, 1000000000);
  DECLARE v_down TINYINT DEFAULT p_sort LIKE '-%';
  DECLARE v_mark BIGINT DEFAULT p_mark;
  DECLARE v_seen BIGINT DEFAULT COALESCE(p_mark, 9223372036854775807);
  -- below or above all that there is
  DECLARE v_after VARBINARY(17) DEFAULT COALESCE(p_after, IF(p_sort = '-id', X'FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF', ''));
  DECLARE v_name VARBINARY(2400) DEFAULT COALESCE(p_key, IF(v_down, X'FF', ''));
  DECLARE v_price BIGINT DEFAULT IF(p_sort NOT LIKE '%required_points' OR p_key IS NULL, IF(v_down, 9223372036854775807, -1), p_key);

  IF p_mark IS NULL THEN
    SELECT moves INTO v_mark FROM list_move WHERE list = 'room'; -- a subquery in SET or DEFAULT would lock it
  END IF;
  CASE IF(p_q IS NOT NULL AND v_q = '', '', p_sort)
  WHEN '' THEN
    SELECT 'marks';
  WHEN 'id' THEN
      -- @rooms_found PRIMARY
        AND id > v_after ORDER BY id LIMIT p_limit;
  WHEN '-id' THEN
      -- @rooms_found PRIMARY
        AND id < v_after ORDER BY id DESC LIMIT p_limit;
  WHEN 'name' THEN
    IF p_available THEN
      -- @rooms_found PRIMARY
        AND renamed <= v_seen AND (name_folded > v_name OR (name_folded = v_name AND id > v_after)) ORDER BY name_folded, id LIMIT p_limit;
    ELSE
      -- @rooms_found room_name
        AND renamed <= v_seen AND (name_folded > v_name OR (name_folded = v_name AND id > v_after)) ORDER BY name_folded, id LIMIT p_limit;
    END IF;
  WHEN '-name' THEN
    IF p_available THEN
      -- @rooms_found PRIMARY
        AND renamed <= v_seen AND (name_folded < v_name OR (name_folded = v_name AND id > v_after)) ORDER BY name_folded DESC, id LIMIT p_limit;
    ELSE
      -- @rooms_found room_name_down
        AND renamed <= v_seen AND (name_folded < v_name OR (name_folded = v_name AND id > v_after)) ORDER BY name_folded DESC, id LIMIT p_limit;
    END IF;
  WHEN 'required_points' THEN
    IF p_available THEN
      -- @rooms_found PRIMARY
        AND repriced <= v_seen AND (required_points > v_price OR (required_points = v_price AND id > v_after)) ORDER BY required_points, id LIMIT p_limit;
    ELSE
      -- @rooms_found room_price
        AND repriced <= v_seen AND (required_points > v_price OR (required_points = v_price AND id > v_after)) ORDER BY required_points, id LIMIT p_limit;
    END IF;
  WHEN '-required_points' THEN
    IF p_available THEN
      -- @rooms_found PRIMARY
        AND repriced <= v_seen AND (required_points < v_price OR (required_points = v_price AND id > v_after)) ORDER BY required_points DESC, id LIMIT p_limit;
    ELSE
      -- @rooms_found room_price_down
        AND repriced <= v_seen AND (required_points < v_price OR (required_points = v_price AND id > v_after)) ORDER BY required_points DESC, id LIMIT p_limit;
    END IF;
  END CASE;
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE room_find TO 'loyalty_rooms'@'__HOST__';
GRANT EXECUTE ON PROCEDURE room_find TO 'loyalty_admin'@'__HOST__';
