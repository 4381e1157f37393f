-- GET /v1/admin/outbox: newest first, before the id p_before; p_status may be NULL.  Locks nothing.  The subject is made of the last six
-- columns (lib/mail_text.c).
DROP PROCEDURE IF EXISTS outbox_list;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE outbox_list(p_status VARCHAR(8), p_before BIGINT, p_limit INT)
  READS SQL DATA
IF p_status IS NULL THEN
  SELECT n.id, n.event, n.status, n.attempts, NULL AS subject,
      n.reservation_id, n.room_id, n.request_id, DATE_FORMAT(n.created_at, '%Y-%m-%dT%H:%i:%s.%fZ'),
      DATE_FORMAT(n.next_attempt_at, '%Y-%m-%dT%H:%i:%s.%fZ'), DATE_FORMAT(n.sent_at, '%Y-%m-%dT%H:%i:%s.%fZ'), n.last_error,
      COALESCE(n.subject_room, n.room_name), COALESCE(n.subject_user, n.user_name), n.from_total, n.to_total, n.from_archived, n.to_archived
    FROM (SELECT m.id, m.event, m.status, m.attempts, m.reservation_id, m.room_id, m.request_id, m.created_at,
        m.next_attempt_at, m.sent_at, m.last_error, m.from_total, m.to_total, m.from_archived, m.to_archived,
        -- @subject_names
        -- @mail_names
      FROM (SELECT id FROM outbox FORCE INDEX (PRIMARY) WHERE id < p_before ORDER BY id DESC LIMIT p_limit) page
        STRAIGHT_JOIN outbox_mail m ON m.id = page.id LIMIT 18446744073709551615) n
    ORDER BY n.id DESC;
ELSE
  SELECT n.id, n.event, n.status, n.attempts, NULL AS subject,
      n.reservation_id, n.room_id, n.request_id, DATE_FORMAT(n.created_at, '%Y-%m-%dT%H:%i:%s.%fZ'),
      DATE_FORMAT(n.next_attempt_at, '%Y-%m-%dT%H:%i:%s.%fZ'), DATE_FORMAT(n.sent_at, '%Y-%m-%dT%H:%i:%s.%fZ'), n.last_error,
      COALESCE(n.subject_room, n.room_name), COALESCE(n.subject_user, n.user_name), n.from_total, n.to_total, n.from_archived, n.to_archived
    FROM (SELECT m.id, m.event, m.status, m.attempts, m.reservation_id, m.room_id, m.request_id, m.created_at,
        m.next_attempt_at, m.sent_at, m.last_error, m.from_total, m.to_total, m.from_archived, m.to_archived,
        -- @subject_names
        -- @mail_names
      FROM (SELECT id FROM outbox FORCE INDEX (outbox_status) WHERE status = p_status AND id < p_before
          ORDER BY id DESC LIMIT p_limit) page
        STRAIGHT_JOIN outbox_mail m ON m.id = page.id LIMIT 18446744073709551615) n
    ORDER BY n.id DESC;
END IF$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE outbox_list TO 'loyalty_admin'@'__HOST__';
