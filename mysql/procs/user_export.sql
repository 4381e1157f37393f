-- GET /v1/admin/users/{id}/export: all that is known of a guest, on one snapshot.  Locks nothing.
--
-- Six results: the account (no row: there is none, and no further result), its reservations (as reservation_list.c), the histories of
-- the account, of its reservations (one after the other) and of its points, its mails (as outbox_list).  Newest first, each.
DROP PROCEDURE IF EXISTS user_export;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE user_export(p_user BINARY(16))
  READS SQL DATA
BEGIN
  DECLARE EXIT HANDLER FOR SQLEXCEPTION
  BEGIN
    COMMIT;
    RESIGNAL;
  END;

  SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;
  START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY;
  SELECT id, name, role, bonus_points FROM user WHERE id = p_user;
  IF EXISTS (SELECT 1 FROM user WHERE id = p_user) THEN
    SELECT v.id, v.status, v.points, r.id, r.name, r.available_amount, r.required_points, u.id, u.name, u.role, v.created_at, v.updated_at
      FROM reservation v FORCE INDEX (reservation_user) STRAIGHT_JOIN user u FORCE INDEX (PRIMARY) ON u.id = v.user_id
        STRAIGHT_JOIN room r FORCE INDEX (PRIMARY) ON r.id = v.room_id
      WHERE v.user_id = p_user ORDER BY v.id DESC;
    SELECT h.id, h.user_id, h.from_name, h.from_role, h.to_name, h.to_role, h.reason,
        h.actor, h.request_id, DATE_FORMAT(h.changed_at, '%Y-%m-%dT%H:%i:%s.%fZ')
      FROM loyalty_history.user_history h FORCE INDEX (user_history_user) WHERE h.user_id = p_user ORDER BY h.changed_at DESC, h.id DESC;
    SELECT h.id, h.reservation_id, h.room_id, h.user_id, h.from_status, h.to_status, h.points, h.reason,
        h.actor, h.request_id, DATE_FORMAT(h.changed_at, '%Y-%m-%dT%H:%i:%s.%fZ')
      FROM reservation v FORCE INDEX (reservation_user)
        STRAIGHT_JOIN loyalty_history.reservation_history h FORCE INDEX (reservation_history_reservation) ON h.reservation_id = v.id
      WHERE v.user_id = p_user ORDER BY v.id DESC, h.changed_at DESC, h.id DESC;
    SELECT h.id, h.user_id, h.from_points, h.to_points, h.delta, h.reason, h.reservation_id,
        h.actor, h.request_id, DATE_FORMAT(h.changed_at, '%Y-%m-%dT%H:%i:%s.%fZ')
      FROM loyalty_history.points_history h FORCE INDEX (points_history_user) WHERE h.user_id = p_user ORDER BY h.changed_at DESC, h.id DESC;
    SELECT n.id, n.event, n.status, n.attempts, NULL,
        n.reservation_id, n.room_id, n.request_id, DATE_FORMAT(n.created_at, '%Y-%m-%dT%H:%i:%s.%fZ'),
        DATE_FORMAT(n.next_attempt_at, '%Y-%m-%dT%H:%i:%s.%fZ'), DATE_FORMAT(n.sent_at, '%Y-%m-%dT%H:%i:%s.%fZ'), n.last_error,
        COALESCE(n.subject_room, n.room_name), COALESCE(n.subject_user, n.user_name), n.from_total, n.to_total, n.from_archived, n.to_archived
      FROM (SELECT m.id, m.event, m.status, m.attempts, m.reservation_id, m.room_id, m.request_id, m.created_at,
          m.next_attempt_at, m.sent_at, m.last_error, m.from_total, m.to_total, m.from_archived, m.to_archived,
          -- @subject_names
          -- @mail_names
        FROM reservation v FORCE INDEX (reservation_user)
          STRAIGHT_JOIN loyalty_history.reservation_history c FORCE INDEX (reservation_history_reservation) ON c.reservation_id = v.id
          STRAIGHT_JOIN outbox_mail m ON m.id = c.mail_id
        WHERE v.user_id = p_user LIMIT 18446744073709551615) n
      ORDER BY n.id DESC;
  END IF;
  COMMIT;
END$$
DELIMITER ;
GRANT EXECUTE ON PROCEDURE user_export TO 'loyalty_admin'@'__HOST__';
