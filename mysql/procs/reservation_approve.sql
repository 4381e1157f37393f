-- POST /v1/admin/reservations/{id}/approve: PENDING_APPROVAL becomes RESERVED: takes a unit and the points, the price
-- quoted (p_points NULL) or p_points of it.
--
-- Refusals: reservation-not-found, invalid-transition-approve (status), points-above-price (price quoted; nothing is kept),
-- sold-out-pending (room), insufficient-points-pending (balance, how many are missing), looked at in this order.
-- Columns: as reservation_create.  Locks: the user, the reservation, the room.
DROP PROCEDURE IF EXISTS reservation_approve;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE reservation_approve(
  p_actor VARCHAR(100), p_request_id VARCHAR(64), p_key BINARY(32), p_body BINARY(32),
  p_id BINARY(16), p_points INT)
  MODIFIES SQL DATA
BEGIN
  -- @row
  -- @reservation
  -- @existing
  -- @begin status, points, room_name, available_amount, required_points, user_name, role
  -- @begin_existing
  SELECT name, IF(archived, 0, available_amount), required_points INTO v_room_name, v_available_amount, v_required_points
    FROM room WHERE id = v_room FOR UPDATE;
  -- @context, @loyalty_reservation = p_id
  IF v_user IS NULL THEN
    -- @refuse_unkept 'reservation-not-found', NULL, NULL, NULL
  ELSEIF v_status <> 'PENDING_APPROVAL' THEN
    -- @refuse 'invalid-transition-approve', v_status, NULL, NULL
  ELSEIF p_points > v_points THEN
    -- @refuse_unkept 'points-above-price', NULL, v_points, NULL
  ELSEIF v_available_amount = 0 THEN
    -- @refuse 'sold-out-pending', v_room_name, NULL, NULL
  ELSEIF v_balance < COALESCE(p_points, v_points) THEN
    -- @refuse 'insufficient-points-pending', NULL, v_balance, COALESCE(p_points, v_points) - v_balance
  ELSE
    SET v_status = 'RESERVED', v_points = COALESCE(p_points, v_points), v_available_amount = v_available_amount - 1;
    IF v_points > 0 THEN
      UPDATE user FORCE INDEX (PRIMARY) SET bonus_points = bonus_points - v_points WHERE id = v_user;
    END IF;
    UPDATE room FORCE INDEX (PRIMARY) SET available_amount = v_available_amount, reservable = available_amount > 0 WHERE id = v_room;
    UPDATE reservation FORCE INDEX (PRIMARY) SET status = v_status, points = v_points, updated_at = @loyalty_at WHERE id = p_id;
  END IF;
  -- @keep status, points, room_name, available_amount, required_points, user_name, role
  -- @answer p_id, v_status, v_points, v_room, v_room_name, v_available_amount, v_required_points, v_user, v_user_name, v_role, v_created, CAST(@loyalty_at AS DATETIME(6))
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE reservation_approve TO 'loyalty_admin'@'__HOST__';
