-- What a node does first at each start (--init-file), for itself alone: the administrating accounts as ./secrets has them now, so
-- that a new password is in force after a restart of all nodes.  hand-out fills in the passwords.
SET SESSION wsrep_on = OFF;
SET SESSION sql_log_bin = 0;
CREATE USER IF NOT EXISTS root@'%';
ALTER USER root@'%' IDENTIFIED BY '__ROOT__';
GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;
-- By which nodes ask one another how they are: that takes no right.
CREATE USER IF NOT EXISTS loyalty_probe@'%';
ALTER USER loyalty_probe@'%' IDENTIFIED BY '__PROBE__';
