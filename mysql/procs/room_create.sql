-- POST /v1/admin/rooms: a new room, all units available.
--
-- Refusals: room-exists.  Columns: id, name, available, price, total, archived.
-- Locks: the room.  Of two that make the same room at once the later gets a duplicate key error (1062) and starts again.
DROP PROCEDURE IF EXISTS room_create;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE room_create(
  p_actor VARCHAR(100), p_request_id VARCHAR(64), p_key BINARY(32), p_body BINARY(32),
  p_id BINARY(16), p_name VARCHAR(200), p_total INT, p_price INT)
  MODIFIES SQL DATA
BEGIN
  -- @row
  DECLARE v_entity BINARY(16) DEFAULT p_id;
  DECLARE v_taken BINARY(16);
  -- @begin entity
  SELECT id INTO v_taken FROM room WHERE id = p_id FOR UPDATE;
  -- @context
  IF v_taken IS NOT NULL THEN
    -- @refuse 'room-exists', NULL, NULL, NULL
  ELSE
    INSERT INTO room (id, name, total_amount, available_amount, required_points, archived, reservable)
      VALUES (p_id, p_name, p_total, p_total, p_price, 0, p_total > 0);
  END IF;
  -- @keep entity
  -- @answer v_entity, p_name, p_total, p_price, p_total, 0
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE room_create TO 'loyalty_admin'@'__HOST__';
