-- GET /v1/admin/outbox/{id}: one mail, and what its text is made from.  No row: there is none.  Locks nothing.
-- Columns: those of outbox_list, then the first 23 of outbox_claim.  Amounts, price, archived and balance: of a SENT mail those
-- when it was sent, from the histories, else those of now, as outbox_claim would give them.
DROP PROCEDURE IF EXISTS outbox_get;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE outbox_get(p_id BIGINT)
  READS SQL DATA
BEGIN
  DECLARE v_room, v_user BINARY(16);
  DECLARE v_sent DATETIME(6);
  DECLARE v_room_row, v_points_row BIGINT;

  SELECT room_id, user_id, sent_at INTO v_room, v_user, v_sent FROM outbox_mail WHERE id = p_id;
  IF v_sent IS NOT NULL THEN
    SELECT MAX(id) INTO v_room_row FROM (SELECT id FROM loyalty_history.room_history FORCE INDEX (room_history_room)
      WHERE room_id = v_room AND changed_at <= v_sent ORDER BY changed_at DESC, id DESC LIMIT 1) s;
    SELECT MAX(id) INTO v_points_row FROM (SELECT id FROM loyalty_history.points_history FORCE INDEX (points_history_user)
      WHERE user_id = v_user AND changed_at <= v_sent ORDER BY changed_at DESC, id DESC LIMIT 1) p;
  END IF;
  SELECT n.id, n.event, n.status, n.attempts, NULL AS subject,
      n.reservation_id, n.room_id, n.request_id, DATE_FORMAT(n.created_at, '%Y-%m-%dT%H:%i:%s.%fZ'),
      DATE_FORMAT(n.next_attempt_at, '%Y-%m-%dT%H:%i:%s.%fZ'), DATE_FORMAT(n.sent_at, '%Y-%m-%dT%H:%i:%s.%fZ'), n.last_error,
      COALESCE(n.subject_room, n.room_name), COALESCE(n.subject_user, n.user_name), n.from_total, n.to_total, n.from_archived, n.to_archived,
      n.id, n.event, n.reservation_id, n.room_id, n.room_name, COALESCE(s.to_total, n.total_amount),
      COALESCE(s.to_available, n.available_amount), COALESCE(s.to_points, n.required_points), COALESCE(s.to_archived, n.archived),
      n.user_id, n.user_name, IF(n.user_id IS NULL, NULL, COALESCE(p.to_points, IF(n.sent_at IS NULL, n.bonus_points, 0))),
      n.from_status, n.to_status, n.points,
      n.reason, n.from_total, n.to_total, n.from_archived, n.to_archived,
      n.actor, n.request_id, DATE_FORMAT(n.created_at, '%Y-%m-%dT%H:%i:%s.%fZ')
    FROM (SELECT m.id, m.event, m.status, m.attempts, m.reservation_id, m.room_id, m.user_id, m.from_status, m.to_status, m.points, m.reason,
        m.from_total, m.to_total, m.from_archived, m.to_archived,
        m.actor, m.request_id, m.created_at, m.next_attempt_at, m.sent_at, m.last_error,
        m.total_amount, m.available_amount, m.required_points, m.archived, m.bonus_points,
        -- @subject_names
        -- @mail_names
      FROM outbox_mail m WHERE m.id = p_id LIMIT 18446744073709551615) n
      LEFT JOIN loyalty_history.room_history s ON s.id = v_room_row LEFT JOIN loyalty_history.points_history p ON p.id = v_points_row;
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE outbox_get TO 'loyalty_admin'@'__HOST__';
