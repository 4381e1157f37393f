-- Whom a FLUSH TABLES would wait for now, the longest first: statements that have run for a second, and LOCK TABLES.  mysqldump of MySQL
-- flushes, to read the position in the binary log between two transactions; while that waits every program waits behind it, and goes on
-- waiting when it has been given up.  So backups look here first.
SELECT CONCAT('session ', p.id, ' (', p.user, ' from ', SUBSTRING_INDEX(p.host, ':', 1), ', ', p.time, ' s)')
  FROM information_schema.processlist p
  WHERE p.id <> CONNECTION_ID() AND p.user NOT IN ('system user', 'event_scheduler')
    AND (p.command IN ('Query', 'Execute') AND p.time >= 1 AND COALESCE(p.state, '') NOT LIKE 'Waiting for%'
      OR p.id IN (SELECT t.processlist_id FROM performance_schema.metadata_locks l JOIN performance_schema.threads t ON t.thread_id = l.owner_thread_id
        WHERE l.object_type = 'TABLE' AND l.lock_status = 'GRANTED' AND l.lock_type IN ('SHARED_READ_ONLY', 'SHARED_NO_READ_WRITE')))
  ORDER BY p.time DESC LIMIT 5;
