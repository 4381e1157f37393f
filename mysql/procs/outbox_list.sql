-- GET /v1/admin/outbox: newest first, before the id p_before; p_status may be NULL.  Locks nothing.
DROP PROCEDURE IF EXISTS outbox_list;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE outbox_list(p_status VARCHAR(8), p_before BIGINT, p_limit INT)
  READS SQL DATA
IF p_status IS NULL THEN
  SELECT id, event, status, attempts, outbox_subject(event, room_name, user_name, from_status, detail),
      reservation_id, room_id, request_id, DATE_FORMAT(created_at, '%Y-%m-%dT%H:%i:%s.%fZ'),
      DATE_FORMAT(next_attempt_at, '%Y-%m-%dT%H:%i:%s.%fZ'), DATE_FORMAT(sent_at, '%Y-%m-%dT%H:%i:%s.%fZ'), last_error
    FROM outbox WHERE id < p_before ORDER BY id DESC LIMIT p_limit;
ELSE
  SELECT id, event, status, attempts, outbox_subject(event, room_name, user_name, from_status, detail),
      reservation_id, room_id, request_id, DATE_FORMAT(created_at, '%Y-%m-%dT%H:%i:%s.%fZ'),
      DATE_FORMAT(next_attempt_at, '%Y-%m-%dT%H:%i:%s.%fZ'), DATE_FORMAT(sent_at, '%Y-%m-%dT%H:%i:%s.%fZ'), last_error
    FROM outbox FORCE INDEX (outbox_status) WHERE status = p_status AND id < p_before ORDER BY id DESC LIMIT p_limit;
END IF$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE outbox_list TO 'loyalty_admin'@'__HOST__';
