-- POST /v1/admin/rooms: a new room, all units available.
--
-- 201; 409 room-exists; 422 idempotency-key-reused.  Fields of a 201: id, name, available, price, total, archived.
-- Locks: the room.  Of two that make the same room, or use the same key, at once the later gets a duplicate key
-- error (1062) and starts again.
DROP PROCEDURE IF EXISTS stock_create;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE stock_create(
  p_actor VARCHAR(100), p_request_id VARCHAR(64), p_key BINARY(32), p_body BINARY(32),
  p_id BINARY(16), p_name VARCHAR(200), p_total INT, p_price INT)
  MODIFIES SQL DATA
BEGIN
  -- @locals
  DECLARE v_taken BINARY(16);
  DECLARE v_at DATETIME(6);
  DECLARE EXIT HANDLER FOR SQLEXCEPTION
  BEGIN
    ROLLBACK;
    SET @loyalty_actor = NULL, @loyalty_request_id = NULL, @loyalty_at = NULL, @loyalty_reservation = NULL, @loyalty_reason = NULL;
    RESIGNAL;
  END;

  SET @loyalty_actor = p_actor, @loyalty_request_id = p_request_id;
  START TRANSACTION;
  decide: BEGIN
    -- @key
    SET v_at = UTC_TIMESTAMP(6);
    SET @loyalty_at = v_at;
    SELECT id INTO v_taken FROM room WHERE id = p_id FOR UPDATE;
    IF v_taken IS NOT NULL THEN
      SET v_status = 409, v_problem = 'room-exists',
          v_fields = CONCAT_WS(X'1F', p_request_id, 'A room with this id already exists.');
    ELSE
      INSERT INTO room (id, name, total_amount, available_amount, required_points, archived, reservable)
        VALUES (p_id, p_name, p_total, p_total, p_price, 0, p_total > 0);
      SET v_status = 201, v_fields = CONCAT_WS(X'1F', HEX(p_id), p_name, p_total, p_price, p_total, 0);
    END IF;
    -- @record
  SET @loyalty_actor = NULL, @loyalty_request_id = NULL, @loyalty_at = NULL, @loyalty_reservation = NULL, @loyalty_reason = NULL;
  SELECT v_status, v_problem, v_replayed, v_fields;
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE stock_create TO 'loyalty_admin'@'__HOST__';
