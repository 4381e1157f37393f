-- POST /v1/reservations/{id}/cancel
--
-- 200 CANCELLED: from RESERVED the points that were taken go back and so does the unit; from PENDING_APPROVAL
-- there is nothing to give back.  404 reservation-not-found; 409 invalid-transition, balance-limit;
-- 422 idempotency-key-reused.  Fields of a 200: as reservation_create.
--
-- Locks: the user (whose reservation it is never changes, so that is read unlocked), the reservation, the room.
DROP PROCEDURE IF EXISTS reservation_cancel;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE reservation_cancel(
  p_actor VARCHAR(100), p_request_id VARCHAR(64), p_key BINARY(32), p_body BINARY(32), p_id BINARY(16))
  MODIFIES SQL DATA
BEGIN
  -- @locals
  DECLARE v_user, v_room BINARY(16);
  DECLARE v_user_name, v_room_name VARCHAR(200);
  DECLARE v_role VARCHAR(8);
  DECLARE v_balance BIGINT;
  DECLARE v_points, v_available, v_price INT;
  DECLARE v_was VARCHAR(16);
  DECLARE v_at, v_created DATETIME(6);
  DECLARE EXIT HANDLER FOR SQLEXCEPTION
  BEGIN
    ROLLBACK;
    SET @loyalty_actor = NULL, @loyalty_request_id = NULL, @loyalty_at = NULL, @loyalty_reservation = NULL;
    RESIGNAL;
  END;

  SET @loyalty_actor = p_actor, @loyalty_request_id = p_request_id, @loyalty_reservation = p_id;
  SELECT user_id, room_id INTO v_user, v_room FROM reservation WHERE id = p_id;
  START TRANSACTION;
  SELECT name, role, bonus_points INTO v_user_name, v_role, v_balance FROM user WHERE id = v_user FOR UPDATE;
  decide: BEGIN
    -- @key
    IF v_user IS NULL THEN
      SET v_status = 404, v_problem = 'reservation-not-found', v_fields = CONCAT(p_request_id, X'1F');
      LEAVE decide;
    END IF;

    SELECT status, points, created_at INTO v_was, v_points, v_created FROM reservation WHERE id = p_id FOR UPDATE;
    SET v_at = UTC_TIMESTAMP(6);
    SET @loyalty_at = v_at;
    IF v_was NOT IN ('RESERVED', 'PENDING_APPROVAL') THEN
      SET v_status = 409, v_problem = 'invalid-transition',
          v_fields = CONCAT_WS(X'1F', p_request_id, CONCAT('The reservation is ', v_was, '; only a RESERVED or PENDING_APPROVAL one can be cancelled.'));
    ELSEIF v_was = 'RESERVED' AND v_balance + v_points > 9007199254740991 THEN
      SET v_status = 409, v_problem = 'balance-limit',
          v_fields = CONCAT_WS(X'1F', p_request_id, 'The refund would lift the balance over 9007199254740991 points.');
    ELSE
      IF v_was = 'RESERVED' THEN
        IF v_points > 0 THEN
          UPDATE user SET bonus_points = bonus_points + v_points WHERE id = v_user;
        END IF;
        UPDATE room SET available_amount = available_amount + 1, reservable = (archived = 0) WHERE id = v_room;
      END IF;
      UPDATE reservation SET status = 'CANCELLED', updated_at = v_at WHERE id = p_id;
      SELECT name, available_amount, required_points INTO v_room_name, v_available, v_price FROM room WHERE id = v_room;
      SET v_status = 200,
          v_fields = CONCAT_WS(X'1F', HEX(p_id), 'CANCELLED', v_points, HEX(v_room), v_room_name, v_available, v_price,
            HEX(v_user), v_user_name, v_role,
            DATE_FORMAT(v_created, '%Y-%m-%dT%H:%i:%s.%fZ'), DATE_FORMAT(v_at, '%Y-%m-%dT%H:%i:%s.%fZ'));
    END IF;
    -- @record
  SET @loyalty_actor = NULL, @loyalty_request_id = NULL, @loyalty_at = NULL, @loyalty_reservation = NULL;
  SELECT v_status, v_problem, v_replayed, v_fields;
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE reservation_cancel TO 'loyalty_rooms'@'__HOST__';
