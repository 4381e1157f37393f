-- GET /v1/admin/outbox: newest first, before the id p_before; p_status may be NULL.  Locks nothing.
DROP PROCEDURE IF EXISTS outbox_list;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE outbox_list(p_status VARCHAR(8), p_before BIGINT, p_limit INT)
  READS SQL DATA
IF p_status IS NULL THEN
  SELECT m.id, m.event, m.status, m.attempts, outbox_subject(m.event, m.room_name, m.user_name, m.from_status, m.detail),
      m.reservation_id, m.room_id, m.request_id, DATE_FORMAT(m.created_at, '%Y-%m-%dT%H:%i:%s.%fZ'),
      DATE_FORMAT(m.next_attempt_at, '%Y-%m-%dT%H:%i:%s.%fZ'), DATE_FORMAT(m.sent_at, '%Y-%m-%dT%H:%i:%s.%fZ'), m.last_error
    FROM (SELECT id FROM outbox FORCE INDEX (PRIMARY) WHERE id < p_before ORDER BY id DESC LIMIT p_limit) page
      STRAIGHT_JOIN outbox_mail m ON m.id = page.id
    ORDER BY page.id DESC;
ELSE
  SELECT m.id, m.event, m.status, m.attempts, outbox_subject(m.event, m.room_name, m.user_name, m.from_status, m.detail),
      m.reservation_id, m.room_id, m.request_id, DATE_FORMAT(m.created_at, '%Y-%m-%dT%H:%i:%s.%fZ'),
      DATE_FORMAT(m.next_attempt_at, '%Y-%m-%dT%H:%i:%s.%fZ'), DATE_FORMAT(m.sent_at, '%Y-%m-%dT%H:%i:%s.%fZ'), m.last_error
    FROM (SELECT id FROM outbox FORCE INDEX (outbox_status) WHERE status = p_status AND id < p_before
        ORDER BY id DESC LIMIT p_limit) page
      STRAIGHT_JOIN outbox_mail m ON m.id = page.id
    ORDER BY page.id DESC;
END IF$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE outbox_list TO 'loyalty_admin'@'__HOST__';
