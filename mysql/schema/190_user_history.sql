-- Accounts that were made after schema/100_who.sql had listed those that were there, and before its trigger was: they get the row of
-- their creation, too.
INSERT INTO loyalty_history.user_history (user_id, to_name, to_role, reason, actor, request_id, changed_at)
  SELECT id, name, role, 'found by the migration', 'migration', 'migration', UTC_TIMESTAMP(6) FROM user u
    WHERE NOT EXISTS (SELECT 1 FROM loyalty_history.user_history h WHERE h.user_id = u.id);
