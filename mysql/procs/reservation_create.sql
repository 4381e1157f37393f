-- POST /v1/reservations: reserve one unit of p_room for p_user, as the new reservation p_id.
--
-- RESERVED (points taken, unit gone) or PENDING_APPROVAL (nothing taken).  Refusals: user-not-found, room-not-found, sold-out (room).
-- Columns: id, status, points, room id, name, available, price, user id, name, role, created, updated.
--
-- Locks: the user, then the room, then inserts only up to the COMMIT, so that the hot row is held as short
-- as can be.  The room is read unlocked first (in one statement with the user MariaDB would lock it); the conditional UPDATE
-- takes the unit only if the room is still what the decision was made on, else all is undone and decided afresh.
DROP PROCEDURE IF EXISTS reservation_create;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE reservation_create(
  p_actor VARCHAR(100), p_request_id VARCHAR(64), p_key BINARY(32), p_body BINARY(32),
  p_id BINARY(16), p_room BINARY(16), p_user BINARY(16))
  MODIFIES SQL DATA
BEGIN
  DECLARE v_entity BINARY(16) DEFAULT p_id;
  -- @reservation
  -- @begin
  decide: LOOP
    SELECT name, role, bonus_points INTO v_user_name, v_role, v_balance FROM user WHERE id = p_user FOR UPDATE;
    SELECT name, available_amount, required_points, required_points INTO v_room_name, v_available_amount, v_required_points, v_points
      FROM room WHERE id = p_room AND archived = 0;
    -- @context, @loyalty_reservation = p_id
    IF v_available_amount > 0 AND v_balance >= v_points THEN
      SET v_status = 'RESERVED';
      IF v_points > 0 THEN
        UPDATE user SET bonus_points = bonus_points - v_points WHERE id = p_user;
      END IF;
      UPDATE room SET available_amount = LAST_INSERT_ID(available_amount - 1), reservable = available_amount > 0
        WHERE id = p_room AND available_amount > 0 AND required_points = v_points AND archived = 0
          AND CAST(name AS BINARY) = v_room_name;
      IF ROW_COUNT() = 0 THEN
        ROLLBACK;
        START TRANSACTION;
        SET v_room_name = NULL, v_available_amount = NULL;
        ITERATE decide;
      END IF;
      SET v_available_amount = LAST_INSERT_ID();
    ELSEIF v_user_name IS NULL THEN
      SET v_problem = 'user-not-found';
    ELSEIF v_room_name IS NULL THEN
      SET v_problem = 'room-not-found';
    ELSEIF v_available_amount = 0 THEN
      SET v_problem = 'sold-out', v_text = v_room_name;
    ELSE
      SET v_status = 'PENDING_APPROVAL';
    END IF;
    IF v_problem IS NULL THEN
      INSERT INTO reservation (id, user_id, room_id, status, points, created_at, updated_at)
        VALUES (p_id, p_user, p_room, v_status, v_points, v_at, v_at);
    END IF;
    LEAVE decide;
  END LOOP;
  -- @keep entity, status, points, room_name, available_amount, required_points, user_name, role
  -- @answer v_entity, v_status, v_points, p_room, v_room_name, v_available_amount, v_required_points, p_user, v_user_name, v_role, v_at, v_at
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE reservation_create TO 'loyalty_rooms'@'__HOST__';
