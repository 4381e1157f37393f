-- Who may what.  Applied at every migration: running it again changes nothing.
--
-- Three locked accounts, which mysql/migrate makes, own what runs with more rights than its caller.  loyalty_definer, the procedures:
-- no INSERT into the outbox, nothing but SELECT in the history.  loyalty_trigger, the triggers: the only one
-- that inserts history and outbox rows, and it can't change a single one; of the history it reads which mails a reservation has.
-- loyalty_eraser, the procedure user_erase alone: the only one that may change a history row, and there just the names and reasons of a
-- guest who is erased.  Nobody may delete one.
-- The services' accounts get EXECUTE on their own procedures in mysql/procs and SELECT on columns in mysql/reads.sql, and nothing else.
-- On MySQL migrate lets loyalty_definer read one table more, performance_schema.replication_group_members.
-- __HOST__ is where services connect from: localhost natively, % in containers.
GRANT SELECT, INSERT, UPDATE ON loyalty.room TO 'loyalty_definer'@'localhost';
GRANT SELECT, INSERT, UPDATE ON loyalty.user TO 'loyalty_definer'@'localhost';
GRANT SELECT, INSERT, UPDATE ON loyalty.reservation TO 'loyalty_definer'@'localhost';
GRANT SELECT, INSERT, DELETE ON loyalty.idempotency TO 'loyalty_definer'@'localhost';
GRANT SELECT, UPDATE, DELETE ON loyalty.outbox TO 'loyalty_definer'@'localhost';
GRANT SELECT, UPDATE ON loyalty.outbox_clock TO 'loyalty_definer'@'localhost';
GRANT SELECT, INSERT, UPDATE ON loyalty.outbox_pruned TO 'loyalty_definer'@'localhost';
GRANT SELECT, INSERT, UPDATE ON loyalty.metric_request TO 'loyalty_definer'@'localhost';
GRANT SELECT, INSERT, UPDATE ON loyalty.metric_retry TO 'loyalty_definer'@'localhost';
GRANT SELECT, INSERT, UPDATE ON loyalty.metric_log TO 'loyalty_definer'@'localhost';
GRANT SELECT ON loyalty.schema_info TO 'loyalty_definer'@'localhost';
GRANT SELECT, UPDATE ON loyalty.service_ready TO 'loyalty_definer'@'localhost';
GRANT SELECT, UPDATE ON loyalty.writer TO 'loyalty_definer'@'localhost';
GRANT SELECT ON loyalty.fold_map TO 'loyalty_definer'@'localhost';
GRANT SELECT, UPDATE ON loyalty.list_move TO 'loyalty_definer'@'localhost';
GRANT SELECT, UPDATE ON loyalty.feed TO 'loyalty_definer'@'localhost';
GRANT SELECT, INSERT, DELETE ON loyalty.feed_seen TO 'loyalty_definer'@'localhost';
GRANT SELECT, INSERT, DELETE ON loyalty.feed_open TO 'loyalty_definer'@'localhost';
GRANT SELECT, INSERT ON loyalty.feed_late TO 'loyalty_definer'@'localhost';
GRANT EXECUTE ON loyalty.* TO 'loyalty_definer'@'localhost';

GRANT SELECT ON loyalty_history.room_history TO 'loyalty_definer'@'localhost';
GRANT SELECT ON loyalty_history.reservation_history TO 'loyalty_definer'@'localhost';
GRANT SELECT ON loyalty_history.points_history TO 'loyalty_definer'@'localhost';
GRANT SELECT ON loyalty_history.user_history TO 'loyalty_definer'@'localhost';
GRANT SELECT ON loyalty_history.outbox_history TO 'loyalty_definer'@'localhost';

GRANT SELECT, UPDATE (name, role, bonus_points, erased_at, name_folded, renamed) ON loyalty.user TO 'loyalty_eraser'@'localhost';
GRANT SELECT, UPDATE (moves) ON loyalty.list_move TO 'loyalty_eraser'@'localhost';
GRANT SELECT, UPDATE (status, updated_at) ON loyalty.reservation TO 'loyalty_eraser'@'localhost';
GRANT SELECT (id, last_error), UPDATE (last_error) ON loyalty.outbox TO 'loyalty_eraser'@'localhost';
GRANT SELECT, INSERT ON loyalty.idempotency TO 'loyalty_eraser'@'localhost';
GRANT SELECT, UPDATE (from_name, to_name) ON loyalty_history.user_history TO 'loyalty_eraser'@'localhost';
GRANT SELECT, UPDATE (reason) ON loyalty_history.points_history TO 'loyalty_eraser'@'localhost';
GRANT SELECT, UPDATE (reason) ON loyalty_history.reservation_history TO 'loyalty_eraser'@'localhost';

GRANT TRIGGER ON loyalty.* TO 'loyalty_trigger'@'localhost';
GRANT SELECT, UPDATE (name_folded) ON loyalty.room TO 'loyalty_trigger'@'localhost';
GRANT SELECT, UPDATE (name_folded) ON loyalty.user TO 'loyalty_trigger'@'localhost';
GRANT SELECT ON loyalty.reservation TO 'loyalty_trigger'@'localhost';
GRANT SELECT, INSERT ON loyalty.outbox TO 'loyalty_trigger'@'localhost';
GRANT INSERT ON loyalty_history.room_history TO 'loyalty_trigger'@'localhost';
GRANT INSERT, SELECT (reservation_id, mail_id) ON loyalty_history.reservation_history TO 'loyalty_trigger'@'localhost';
GRANT INSERT ON loyalty_history.points_history TO 'loyalty_trigger'@'localhost';
GRANT INSERT ON loyalty_history.user_history TO 'loyalty_trigger'@'localhost';
GRANT INSERT ON loyalty_history.outbox_history TO 'loyalty_trigger'@'localhost';
