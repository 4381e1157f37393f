-- What the services may read by their own SELECTs: these columns and no others.  Given at every migration.
-- MySQL refuses their accounts SELECT … FOR UPDATE as well; for a shared lock, and on MariaDB for either, SELECT is enough.
GRANT SELECT (id, name, available_amount, required_points, archived, reservable) ON loyalty.room TO 'loyalty_rooms'@'__HOST__';
GRANT SELECT (id, name, role) ON loyalty.user TO 'loyalty_rooms'@'__HOST__';
GRANT SELECT (id, user_id, room_id, status, points, created_at, updated_at) ON loyalty.reservation TO 'loyalty_rooms'@'__HOST__';
GRANT SELECT (id, name, role, bonus_points) ON loyalty.user TO 'loyalty_points'@'__HOST__';
GRANT SELECT (id, name, available_amount, required_points, total_amount, archived) ON loyalty.room TO 'loyalty_admin'@'__HOST__';
GRANT SELECT (status) ON loyalty.reservation TO 'loyalty_admin'@'__HOST__';
GRANT SELECT (status) ON loyalty.outbox TO 'loyalty_admin'@'__HOST__';
GRANT SELECT (id, name, role, bonus_points, erased_at) ON loyalty.user TO 'loyalty_admin'@'__HOST__';
