-- What the mails of the outbox say: a row for each, made from the history row of its change.  Amounts, price and balance are those
-- of now; the names at the event are added by who reads (mail_names in frame.sql), for a view with subqueries is not merged.
-- begun_at: when the reservation was made, whose names then the subject has (subject_names), or NULL.
-- to_name: of a room's mail, the room's; from_total to to_archived: what was done to it, from_total NULL where it was made.  A mail whose
-- history row is gone has no request id and no name.
-- Merged into the statement that names it, so what it costs is what the rows cost that are asked for.
DROP FUNCTION IF EXISTS user_name_at;
CREATE OR REPLACE ALGORITHM = MERGE DEFINER = 'loyalty_definer'@'localhost' SQL SECURITY DEFINER VIEW outbox_mail AS
  SELECT o.id, o.event, o.status, o.attempts, o.reservation_id, o.room_id, h.user_id, h.from_status, h.to_status, h.points,
      h.reason, s.to_name, s.from_total, s.to_total, s.from_archived, s.to_archived,
      COALESCE(h.actor, s.actor) AS actor, COALESCE(h.request_id, s.request_id) AS request_id,
      v.created_at AS begun_at, o.created_at, o.queued_at, o.next_attempt_at, o.sent_at, o.last_error, o.recipients,
      r.total_amount, r.available_amount, r.required_points, r.archived, u.bonus_points
    FROM outbox o FORCE INDEX (PRIMARY)
      LEFT JOIN loyalty_history.reservation_history h FORCE INDEX (reservation_history_reservation)
        ON h.reservation_id = o.reservation_id AND h.mail_id = o.id
      LEFT JOIN loyalty_history.room_history s FORCE INDEX (room_history_room)
        ON o.event = 'room' AND s.room_id = o.room_id AND s.changed_at = o.created_at AND s.mail_id = o.id
      LEFT JOIN reservation v FORCE INDEX (PRIMARY) ON v.id = o.reservation_id
      LEFT JOIN room r ON r.id = o.room_id LEFT JOIN user u ON u.id = h.user_id;
GRANT SELECT ON outbox_mail TO 'loyalty_definer'@'localhost';
