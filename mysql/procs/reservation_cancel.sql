-- POST /v1/reservations/{id}/cancel
--
-- CANCELLED: from RESERVED the points that were taken go back and so does the unit; from PENDING_APPROVAL there is nothing to
-- give back.  Refusals: reservation-not-found, invalid-transition-cancel (status), balance-limit-refund.
-- Columns: as reservation_create.  Locks: the user (whose reservation it is never changes, so that is read unlocked), the
-- reservation, the room.
DROP PROCEDURE IF EXISTS reservation_cancel;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE reservation_cancel(
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
  ELSEIF v_status NOT IN ('RESERVED', 'PENDING_APPROVAL') THEN
    -- @refuse 'invalid-transition-cancel', v_status, NULL, NULL
  ELSEIF v_status = 'RESERVED' AND v_balance + v_points > 9007199254740991 THEN
    -- @refuse 'balance-limit-refund', NULL, NULL, NULL
  ELSE
    IF v_status = 'RESERVED' THEN
      IF v_points > 0 THEN
        UPDATE user FORCE INDEX (PRIMARY) SET bonus_points = bonus_points + v_points WHERE id = v_user;
      END IF;
      UPDATE room FORCE INDEX (PRIMARY) SET available_amount = available_amount + 1, reservable = (archived = 0) WHERE id = v_room;
    END IF;
    SET v_status = 'CANCELLED';
    UPDATE reservation FORCE INDEX (PRIMARY) SET status = v_status, updated_at = @loyalty_at WHERE id = p_id;
    -- @room
  END IF;
  -- @keep status, points, room_name, available_amount, required_points, user_name, role
  -- @answer p_id, v_status, v_points, v_room, v_room_name, v_available_amount, v_required_points, v_user, v_user_name, v_role, v_created, CAST(@loyalty_at AS DATETIME(6))
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE reservation_cancel TO 'loyalty_rooms'@'__HOST__';
