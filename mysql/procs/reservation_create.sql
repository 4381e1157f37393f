-- POST /v1/reservations: reserve one unit of p_room for p_user, as the new reservation p_id.
--
-- RESERVED (points taken, unit gone) or PENDING_APPROVAL (nothing taken).  Refusals: user-not-found, room-not-found, sold-out (room).
--
-- Locks: the user, then the room, then inserts only up to the COMMIT, so that the hot row is held as short
-- as can be.  The room is read unlocked first (in one statement with the user MariaDB would lock it); the conditional UPDATE
-- takes the unit only if the room is still what the decision was made on, else all is undone and decided afresh.
DROP PROCEDURE IF EXISTS reservation_create;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE reservation_create(
  p_actor VARCHAR(100), p_request_id VARCHAR(64), p_key BINARY(32), p_body BINARY(32),
  p_id BINARY(16), p_room BINARY(16), p_user BINARY(16),
  OUT v_replayed TINYINT, OUT v_entity BINARY(16), OUT v_status VARCHAR(16), OUT v_points INT, OUT v_room_name VARCHAR(200),
  OUT v_available_amount INT, OUT v_user_name VARCHAR(200), OUT v_role VARCHAR(8), OUT v_at VARCHAR(26))
  MODIFIES SQL DATA
BEGIN
  DECLARE v_balance BIGINT;
  -- @begin entity, status, points, room_name, available_amount, user_name, role
  decide: LOOP
    SELECT name, role, bonus_points INTO v_user_name, v_role, v_balance FROM user FORCE INDEX (PRIMARY)
      WHERE id = p_user AND erased_at IS NULL FOR UPDATE;
    -- The context as well: the user's lock is held.
    SELECT p_actor, p_request_id, UTC_TIMESTAMP(6), p_id, p_id, 'RESERVED', name, available_amount, required_points
      INTO @loyalty_actor, @loyalty_request_id, @loyalty_at, @loyalty_reservation,
        v_entity, v_status, v_room_name, v_available_amount, v_points
      FROM room FORCE INDEX (PRIMARY) WHERE id = p_room AND archived = 0;
    IF v_available_amount > 0 AND v_balance >= v_points THEN
      UPDATE user FORCE INDEX (PRIMARY) SET bonus_points = bonus_points - v_points WHERE id = p_user;
      UPDATE room FORCE INDEX (PRIMARY) SET available_amount = LAST_INSERT_ID(available_amount - 1), reservable = available_amount > 0
        WHERE id = p_room AND available_amount > 0 AND required_points = v_points AND archived = 0
          AND CAST(name AS BINARY) = v_room_name;
      IF ROW_COUNT() = 0 THEN
        ROLLBACK;
        START TRANSACTION;
        SET v_user_name = NULL, v_balance = NULL, v_room_name = NULL, v_available_amount = NULL;
        ITERATE decide;
      END IF;
      SET v_available_amount = LAST_INSERT_ID();
    ELSEIF v_user_name IS NULL THEN
      -- @refuse_unkept 'user-not-found', NULL, NULL, NULL
    ELSEIF v_room_name IS NULL THEN
      -- @refuse_unkept 'room-not-found', NULL, NULL, NULL
    ELSEIF v_available_amount = 0 THEN
      -- @refuse 'sold-out', v_room_name, NULL, NULL
    ELSE
      SET v_status = 'PENDING_APPROVAL';
    END IF;
    LEAVE decide;
  END LOOP;
  INSERT INTO reservation (id, user_id, room_id, status, points, created_at, updated_at)
    VALUES (p_id, p_user, p_room, v_status, v_points, @loyalty_at, @loyalty_at);
  -- @keep entity, status, points, room_name, available_amount, user_name, role
  SET v_at = @loyalty_at;
  -- @clear
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE reservation_create TO 'loyalty_rooms'@'__HOST__';
