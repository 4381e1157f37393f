-- Both databases, empty: what a restore begins with.  While loyalty_restoring is there, migrate refuses to take them for new ones;
-- whoever restores drops it at the end.
-- A session that holds a lock must not keep the restore waiting for a day.
SET SESSION lock_wait_timeout = 60;
CREATE DATABASE IF NOT EXISTS loyalty_restoring;
DROP DATABASE IF EXISTS loyalty;
DROP DATABASE IF EXISTS loyalty_history;
CREATE DATABASE loyalty CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE DATABASE loyalty_history CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
