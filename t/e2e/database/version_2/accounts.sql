-- Who may what.  Applied at every migration: running it again changes nothing.
--
-- Two locked accounts, which mysql/migrate makes, own what runs with more rights than its caller.  loyalty_definer, the procedures:
-- no INSERT into the outbox, nothing but SELECT in the history.  loyalty_trigger, the triggers: the only one
-- that inserts history and outbox rows, and it can't change a single one.
-- The services' accounts get EXECUTE on their own procedures in mysql/procs, and nothing else.
-- __HOST__ is where services connect from: localhost natively, % in containers.
GRANT SELECT, INSERT, UPDATE ON loyalty.room TO 'loyalty_definer'@'localhost';
GRANT SELECT, INSERT, UPDATE ON loyalty.user TO 'loyalty_definer'@'localhost';
GRANT SELECT, INSERT, UPDATE ON loyalty.reservation TO 'loyalty_definer'@'localhost';
GRANT SELECT, INSERT, DELETE ON loyalty.idempotency TO 'loyalty_definer'@'localhost';
GRANT SELECT, UPDATE, DELETE ON loyalty.outbox TO 'loyalty_definer'@'localhost';
GRANT SELECT, INSERT, UPDATE ON loyalty.outbox_pruned TO 'loyalty_definer'@'localhost';
GRANT SELECT, INSERT, UPDATE ON loyalty.metric_request TO 'loyalty_definer'@'localhost';
GRANT SELECT, INSERT, UPDATE ON loyalty.metric_retry TO 'loyalty_definer'@'localhost';
GRANT SELECT, INSERT, UPDATE ON loyalty.metric_log TO 'loyalty_definer'@'localhost';
GRANT SELECT ON loyalty.schema_info TO 'loyalty_definer'@'localhost';
GRANT SELECT, UPDATE ON loyalty.service_ready TO 'loyalty_definer'@'localhost';
GRANT SELECT ON loyalty.fold_map TO 'loyalty_definer'@'localhost';
GRANT EXECUTE ON loyalty.* TO 'loyalty_definer'@'localhost';

GRANT SELECT ON loyalty_history.room_history TO 'loyalty_definer'@'localhost';
GRANT SELECT ON loyalty_history.reservation_history TO 'loyalty_definer'@'localhost';
GRANT SELECT ON loyalty_history.points_history TO 'loyalty_definer'@'localhost';
GRANT SELECT ON loyalty_history.user_history TO 'loyalty_definer'@'localhost';
GRANT SELECT ON loyalty_history.outbox_history TO 'loyalty_definer'@'localhost';
GRANT TRIGGER ON loyalty.* TO 'loyalty_trigger'@'localhost';
GRANT SELECT ON loyalty.room TO 'loyalty_trigger'@'localhost';
GRANT SELECT ON loyalty.user TO 'loyalty_trigger'@'localhost';
GRANT SELECT ON loyalty.reservation TO 'loyalty_trigger'@'localhost';
GRANT SELECT, INSERT ON loyalty.outbox TO 'loyalty_trigger'@'localhost';
GRANT INSERT ON loyalty_history.room_history TO 'loyalty_trigger'@'localhost';
GRANT INSERT ON loyalty_history.reservation_history TO 'loyalty_trigger'@'localhost';
GRANT INSERT ON loyalty_history.points_history TO 'loyalty_trigger'@'localhost';
GRANT INSERT ON loyalty_history.user_history TO 'loyalty_trigger'@'localhost';
GRANT INSERT ON loyalty_history.outbox_history TO 'loyalty_trigger'@'localhost';
