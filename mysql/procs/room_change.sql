-- PATCH /v1/admin/rooms/{id}: change what is not NULL of name, total, price, archived.
--
-- Refusals: room-not-found, precondition-failed, stock-below-reserved (total, units reserved).  Columns: as room_create.
-- p_seen_*: the state that the caller's conditions were held against, as admin_room_get.c reads it; NULL: any.  Where the room is no
-- longer so, precondition-failed: the caller looks again.
-- Nothing given, or all as it is: nothing changes and no history row is written.  Locks: the room; where name or price change, list_move behind it.
DROP PROCEDURE IF EXISTS room_change;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE room_change(
  p_actor VARCHAR(100), p_request_id VARCHAR(64), p_key BINARY(32), p_body BINARY(32),
  p_id BINARY(16), p_name VARCHAR(200), p_total INT, p_price INT, p_archived TINYINT,
  p_seen_name VARCHAR(200), p_seen_available INT, p_seen_price INT, p_seen_total INT, p_seen_archived TINYINT)
  MODIFIES SQL DATA
BEGIN
  -- @row
  DECLARE v_entity BINARY(16) DEFAULT p_id;
  DECLARE v_name VARCHAR(200);
  DECLARE v_total, v_available, v_price, v_reserved INT;
  DECLARE v_archived, v_renamed, v_repriced TINYINT;
  DECLARE v_move BIGINT;
  -- @begin entity
  SELECT name, total_amount, available_amount, required_points, archived
    INTO v_name, v_total, v_available, v_price, v_archived FROM room WHERE id = p_id FOR UPDATE;
  -- @context
  SET v_reserved = v_total - v_available;
  IF v_name IS NULL THEN
    -- @refuse_unkept 'room-not-found', NULL, NULL, NULL
  ELSEIF NOT (CAST(p_seen_name AS BINARY) = v_name AND p_seen_available = v_available AND p_seen_price = v_price
      AND p_seen_total = v_total AND p_seen_archived = v_archived) THEN
    -- @refuse_unkept 'precondition-failed', NULL, NULL, NULL
  ELSEIF p_total < v_reserved THEN
    -- @refuse 'stock-below-reserved', NULL, p_total, v_reserved
  ELSE
    SET v_renamed = COALESCE(CAST(p_name AS BINARY) <> v_name, 0), v_repriced = COALESCE(p_price <> v_price, 0);
    IF v_renamed OR v_repriced THEN
      UPDATE list_move SET moves = LAST_INSERT_ID(moves + 1) WHERE list = 'room';
      SET v_move = LAST_INSERT_ID();
    END IF;
    SET v_name = COALESCE(p_name, v_name), v_total = COALESCE(p_total, v_total), v_price = COALESCE(p_price, v_price),
        v_archived = COALESCE(p_archived, v_archived), v_available = v_total - v_reserved;
    UPDATE room FORCE INDEX (PRIMARY) SET name = v_name, total_amount = v_total, available_amount = v_available, required_points = v_price,
        archived = v_archived, reservable = (v_archived = 0 AND v_available > 0), name_folded = IF(v_renamed, fold(v_name), name_folded),
        renamed = IF(v_renamed, v_move, renamed), repriced = IF(v_repriced, v_move, repriced) WHERE id = p_id;
  END IF;
  -- @keep entity
  -- @answer p_id, v_name, v_available, v_price, v_total, v_archived
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE room_change TO 'loyalty_admin'@'__HOST__';
