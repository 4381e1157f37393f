-- POST /v1/admin/reservations/{id}/approve: PENDING_APPROVAL becomes RESERVED: takes a unit and the points, the price
-- quoted (p_points NULL) or p_points of it.
--
-- 200; 404 reservation-not-found; 409 invalid-transition, sold-out, insufficient-points, looked at in this order;
-- 422 validation (more points than the price; nothing is kept), idempotency-key-reused.
-- Fields of a 200: as reservation_create.  Locks: the user, the reservation, the room.
DROP PROCEDURE IF EXISTS reservation_approve;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE reservation_approve(
  p_actor VARCHAR(100), p_request_id VARCHAR(64), p_key BINARY(32), p_body BINARY(32),
  p_id BINARY(16), p_points INT)
  MODIFIES SQL DATA
BEGIN
  -- @locals
  DECLARE v_user, v_room BINARY(16);
  DECLARE v_user_name, v_room_name VARCHAR(200);
  DECLARE v_role VARCHAR(8);
  DECLARE v_balance BIGINT;
  DECLARE v_points, v_available, v_price, v_take INT;
  DECLARE v_was VARCHAR(16);
  DECLARE v_at, v_created DATETIME(6);
  DECLARE EXIT HANDLER FOR SQLEXCEPTION
  BEGIN
    ROLLBACK;
    SET @loyalty_actor = NULL, @loyalty_request_id = NULL, @loyalty_at = NULL, @loyalty_reservation = NULL, @loyalty_reason = NULL;
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
    SET v_take = COALESCE(p_points, v_points);
    SELECT name, IF(archived, 0, available_amount) INTO v_room_name, v_available FROM room WHERE id = v_room FOR UPDATE;
    IF v_was <> 'PENDING_APPROVAL' THEN
      SET v_status = 409, v_problem = 'invalid-transition',
          v_fields = CONCAT_WS(X'1F', p_request_id, CONCAT('The reservation is ', v_was, '; only a PENDING_APPROVAL one can be approved.'));
    ELSEIF v_take > v_points THEN
      SET v_status = 422, v_problem = 'validation',
          v_fields = CONCAT_WS(X'1F', p_request_id, CONCAT('must be from 0 to the price quoted, ', v_points), '/points');
      LEAVE decide;
    ELSEIF v_available = 0 THEN
      SET v_status = 409, v_problem = 'sold-out',
          v_fields = CONCAT_WS(X'1F', p_request_id, CONCAT('No unit of "', v_room_name, '" is left; the reservation stays PENDING_APPROVAL.'));
    ELSEIF v_balance < v_take THEN
      SET v_status = 409, v_problem = 'insufficient-points',
          v_fields = CONCAT_WS(X'1F', p_request_id, CONCAT('The balance is ', v_balance, ' points: ',
            v_take - v_balance, ' are missing; the reservation stays PENDING_APPROVAL.'));
    ELSE
      IF v_take > 0 THEN
        UPDATE user SET bonus_points = bonus_points - v_take WHERE id = v_user;
      END IF;
      UPDATE room SET available_amount = available_amount - 1, reservable = available_amount > 0 WHERE id = v_room;
      UPDATE reservation SET status = 'RESERVED', points = v_take, updated_at = v_at WHERE id = p_id;
      SELECT name, available_amount, required_points INTO v_room_name, v_available, v_price FROM room WHERE id = v_room;
      SET v_status = 200,
          v_fields = CONCAT_WS(X'1F', HEX(p_id), 'RESERVED', v_take, HEX(v_room), v_room_name, v_available, v_price,
            HEX(v_user), v_user_name, v_role,
            DATE_FORMAT(v_created, '%Y-%m-%dT%H:%i:%s.%fZ'), DATE_FORMAT(v_at, '%Y-%m-%dT%H:%i:%s.%fZ'));
    END IF;
    -- @record
  SET @loyalty_actor = NULL, @loyalty_request_id = NULL, @loyalty_at = NULL, @loyalty_reservation = NULL, @loyalty_reason = NULL;
  SELECT v_status, v_problem, v_replayed, v_fields;
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE reservation_approve TO 'loyalty_admin'@'__HOST__';
