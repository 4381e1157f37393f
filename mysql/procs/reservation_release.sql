-- POST /v1/admin/reservations/{id}/release: RESERVED becomes RELEASED: the stay is over, the unit is back, the
-- points stay spent.
--
-- Refusals: reservation-not-found, invalid-transition-release (status).
-- Columns: as reservation_create.  Locks: the user, the reservation, the room.
DROP PROCEDURE IF EXISTS reservation_release;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE reservation_release(
  p_actor VARCHAR(100), p_request_id VARCHAR(64), p_key BINARY(32), p_body BINARY(32),
  p_id BINARY(16))
  MODIFIES SQL DATA
BEGIN
  -- @row
  -- @reservation
  -- @existing
  -- @begin status, points, room_name, available_amount, required_points, user_name, role
  -- @begin_existing
  -- @context, @loyalty_reservation = p_id
  IF v_user IS NULL THEN
    -- @refuse_unkept 'reservation-not-found', NULL, NULL, NULL
  ELSEIF v_status <> 'RESERVED' THEN
    -- @refuse 'invalid-transition-release', v_status, NULL, NULL
  ELSE
    UPDATE room FORCE INDEX (PRIMARY) SET available_amount = available_amount + 1, reservable = (archived = 0) WHERE id = v_room;
    SET v_status = 'RELEASED';
    UPDATE reservation FORCE INDEX (PRIMARY) SET status = v_status, updated_at = @loyalty_at WHERE id = p_id;
    -- @room
  END IF;
  -- @keep status, points, room_name, available_amount, required_points, user_name, role
  -- @answer p_id, v_status, v_points, v_room, v_room_name, v_available_amount, v_required_points, v_user, v_user_name, v_role, v_created, CAST(@loyalty_at AS DATETIME(6))
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE reservation_release TO 'loyalty_admin'@'__HOST__';
