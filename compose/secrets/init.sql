-- What mysqld does first at each start (--init-file): the administrating accounts as ./secrets has them now, so that a new password is
-- in force after a restart, in an existing volume too; and the table that the health check writes to.  hand-out fills in the passwords.
SET SESSION sql_log_bin = 0;
-- While the data are first made, only root@localhost exists, and the image's start script counts on its having no password.
SET @root = (SELECT COUNT(*) FROM mysql.user WHERE user = 'root' AND host = '%');
SET @password = QUOTE('__ROOT__');
SET @change = IF(@root, CONCAT('ALTER USER root@\'%\' IDENTIFIED BY ', @password, ', root@localhost IDENTIFIED BY ', @password), 'DO 0');
PREPARE change_root FROM @change;
EXECUTE change_root;
DEALLOCATE PREPARE change_root;
CREATE DATABASE IF NOT EXISTS loyalty_probe;
CREATE TABLE IF NOT EXISTS loyalty_probe.probe (id TINYINT PRIMARY KEY, at DATETIME NOT NULL);
CREATE USER IF NOT EXISTS loyalty_probe@'127.0.0.1';
-- One connection: while a full disk makes a probe wait in the server, the next ones are refused and do not pile up.
ALTER USER loyalty_probe@'127.0.0.1' IDENTIFIED BY '__PROBE__' WITH MAX_USER_CONNECTIONS 1;
GRANT SELECT, INSERT, DELETE ON loyalty_probe.probe TO loyalty_probe@'127.0.0.1';
