-- POST /v1/reservations: reserve one unit of p_room for p_user, as the new reservation p_id.
--
-- 201 RESERVED (points taken, unit gone) or PENDING_APPROVAL (nothing taken); 404 user-not-found,
-- room-not-found; 409 sold-out; 422 idempotency-key-reused.
-- Fields of a 201: id, status, points, room id, name, available, price, user id, name, role, created, updated.
--
-- Locks: the user, then the room, then inserts only up to the COMMIT, so that the hot row is held as short
-- as can be.  The room is read unlocked first; the conditional UPDATE takes the unit only if price and
-- stock are still what the decision was made on, else all is undone and decided afresh.
DROP PROCEDURE IF EXISTS reservation_create;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE reservation_create(
  p_actor VARCHAR(100), p_request_id VARCHAR(64), p_key BINARY(32), p_body BINARY(32),
  p_id BINARY(16), p_room BINARY(16), p_user BINARY(16))
  MODIFIES SQL DATA
BEGIN
  -- @locals
  DECLARE v_user_name, v_room_name VARCHAR(200);
  DECLARE v_role VARCHAR(8);
  DECLARE v_balance BIGINT;
  DECLARE v_available, v_price INT;
  DECLARE v_archived TINYINT;
  DECLARE v_outcome VARCHAR(16);
  DECLARE v_at DATETIME(6);
  DECLARE v_at_text CHAR(27);
  DECLARE EXIT HANDLER FOR SQLEXCEPTION
  BEGIN
    ROLLBACK;
    SET @loyalty_actor = NULL, @loyalty_request_id = NULL, @loyalty_at = NULL, @loyalty_reservation = NULL;
    RESIGNAL;
  END;

  SET @loyalty_actor = p_actor, @loyalty_request_id = p_request_id, @loyalty_reservation = p_id;
  decide: LOOP
    START TRANSACTION;
    SELECT name, role, bonus_points INTO v_user_name, v_role, v_balance FROM user WHERE id = p_user FOR UPDATE;

    IF p_key IS NOT NULL THEN
      SELECT body, status, problem, fields INTO v_kept_body, v_status, v_problem, v_fields
        FROM idempotency WHERE id = p_key;
      IF v_kept_body = p_body THEN
        SET v_replayed = 1;
        COMMIT;
        LEAVE decide;
      ELSEIF v_kept_body IS NOT NULL THEN
        SET v_status = 422, v_problem = 'idempotency-key-reused', v_fields = CONCAT(p_request_id, X'1F');
        COMMIT;
        LEAVE decide;
      END IF;
    END IF;

    IF v_user_name IS NULL THEN
      SET v_status = 404, v_problem = 'user-not-found', v_fields = CONCAT(p_request_id, X'1F');
      COMMIT;
      LEAVE decide;
    END IF;
    SELECT name, available_amount, required_points, archived INTO v_room_name, v_available, v_price, v_archived
      FROM room WHERE id = p_room;
    IF v_room_name IS NULL OR v_archived THEN
      SET v_status = 404, v_problem = 'room-not-found', v_fields = CONCAT(p_request_id, X'1F');
      COMMIT;
      LEAVE decide;
    END IF;

    SET v_at = UTC_TIMESTAMP(6);
    SET @loyalty_at = v_at;
    IF v_available = 0 THEN
      SET v_status = 409, v_problem = 'sold-out',
          v_fields = CONCAT_WS(X'1F', p_request_id, CONCAT('No unit of "', v_room_name, '" is left.'));
    ELSE
      IF v_balance < v_price THEN
        SET v_outcome = 'PENDING_APPROVAL';
      ELSE
        SET v_outcome = 'RESERVED';
        IF v_price > 0 THEN
          UPDATE user SET bonus_points = bonus_points - v_price WHERE id = p_user;
        END IF;
        UPDATE room SET available_amount = available_amount - 1, reservable = available_amount > 0
          WHERE id = p_room AND available_amount > 0 AND required_points = v_price AND archived = 0;
        IF ROW_COUNT() = 0 THEN
          ROLLBACK;
          SET v_room_name = NULL;
          ITERATE decide;
        END IF;
        SELECT name, available_amount INTO v_room_name, v_available FROM room WHERE id = p_room;
      END IF;
      INSERT INTO reservation (id, user_id, room_id, status, points, created_at, updated_at)
        VALUES (p_id, p_user, p_room, v_outcome, v_price, v_at, v_at);
      SET v_at_text = DATE_FORMAT(v_at, '%Y-%m-%dT%H:%i:%s.%fZ');
      SET v_status = 201,
          v_fields = CONCAT_WS(X'1F', HEX(p_id), v_outcome, v_price, HEX(p_room), v_room_name, v_available, v_price,
            HEX(p_user), v_user_name, v_role, v_at_text, v_at_text);
    END IF;
    IF p_key IS NOT NULL THEN
      INSERT INTO idempotency (id, body, status, problem, fields, created_at)
        VALUES (p_key, p_body, v_status, v_problem, v_fields, v_at);
    END IF;
    COMMIT;
    LEAVE decide;
  END LOOP;
  SET @loyalty_actor = NULL, @loyalty_request_id = NULL, @loyalty_at = NULL, @loyalty_reservation = NULL;
  SELECT v_status, v_problem, v_replayed, v_fields;
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE reservation_create TO 'loyalty_rooms'@'__HOST__';
