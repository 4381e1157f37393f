-- PATCH /v1/admin/rooms/{id}: change what is not NULL of name, total, price, archived.
--
-- 200; 404 room-not-found; 412 precondition-failed; 409 stock-below-reserved.  Fields of a 200: as stock_create.
-- p_seen: the state that the caller's conditions were held against, as stock_get.c reads it (its columns but the id, joined
-- with U+001F); NULL: any.  Where the room is no longer so, 412: the caller looks again.
-- Nothing given, or all as it is: nothing changes and no history row is written.  Locks: the room.
DROP PROCEDURE IF EXISTS stock_change;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE stock_change(
  p_actor VARCHAR(100), p_request_id VARCHAR(64), p_key BINARY(32), p_body BINARY(32),
  p_id BINARY(16), p_name VARCHAR(200), p_total INT, p_price INT, p_archived TINYINT, p_seen VARBINARY(2000))
  MODIFIES SQL DATA
BEGIN
  DECLARE v_status SMALLINT;
  DECLARE v_problem VARCHAR(40) DEFAULT '';
  DECLARE v_fields VARBINARY(4000);
  DECLARE v_name VARCHAR(200);
  DECLARE v_total, v_available, v_price, v_reserved INT;
  DECLARE v_archived TINYINT;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION
  BEGIN
    ROLLBACK;
    SET @loyalty_actor = NULL, @loyalty_request_id = NULL, @loyalty_at = NULL, @loyalty_reservation = NULL, @loyalty_reason = NULL;
    RESIGNAL;
  END;

  SET @loyalty_actor = p_actor, @loyalty_request_id = p_request_id;
  START TRANSACTION;
  SELECT name, total_amount, available_amount, required_points, archived
    INTO v_name, v_total, v_available, v_price, v_archived FROM room WHERE id = p_id FOR UPDATE;
  SET @loyalty_at = UTC_TIMESTAMP(6), v_reserved = v_total - v_available;
  IF v_name IS NULL THEN
    SET v_status = 404, v_problem = 'room-not-found', v_fields = CONCAT(p_request_id, X'1F');
  ELSEIF p_seen <> CONCAT_WS(X'1F', v_name, v_available, v_price, v_total, v_archived) THEN
    SET v_status = 412, v_problem = 'precondition-failed', v_fields = CONCAT(p_request_id, X'1F');
  ELSEIF p_total < v_reserved THEN
    SET v_status = 409, v_problem = 'stock-below-reserved',
        v_fields = CONCAT_WS(X'1F', p_request_id,
          CONCAT('A total of ', p_total, ' is below the ', v_reserved, ' units that are reserved.'));
  ELSE
    SET v_name = COALESCE(p_name, v_name), v_total = COALESCE(p_total, v_total), v_price = COALESCE(p_price, v_price),
        v_archived = COALESCE(p_archived, v_archived), v_available = v_total - v_reserved;
    UPDATE room SET name = v_name, total_amount = v_total, available_amount = v_available, required_points = v_price,
        archived = v_archived, reservable = (v_archived = 0 AND v_available > 0) WHERE id = p_id;
    SET v_status = 200, v_fields = CONCAT_WS(X'1F', HEX(p_id), v_name, v_available, v_price, v_total, v_archived);
  END IF;
  COMMIT;
  SET @loyalty_actor = NULL, @loyalty_request_id = NULL, @loyalty_at = NULL, @loyalty_reservation = NULL, @loyalty_reason = NULL;
  SELECT v_status, v_problem, 0, v_fields;
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE stock_change TO 'loyalty_admin'@'__HOST__';
