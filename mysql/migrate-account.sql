-- The account that may migrate, with the rights that migrate needs and no others.  Put its password in place of __PASSWORD__ and run
-- this as root, once or again.  For MySQL; MariaDB calls the right SET_ANY_DEFINER SET USER.  PROCESS:
-- that it can name the sessions that hold the locks that it waits for.
CREATE USER IF NOT EXISTS 'loyalty_migrate'@'%';
ALTER USER 'loyalty_migrate'@'%' IDENTIFIED BY '__PASSWORD__';
GRANT CREATE USER, SET_ANY_DEFINER, PROCESS ON *.* TO 'loyalty_migrate'@'%';
GRANT CREATE, ALTER, INDEX, DROP, SELECT, INSERT, UPDATE, DELETE, EXECUTE, TRIGGER, LOCK TABLES, CREATE ROUTINE, ALTER ROUTINE, CREATE VIEW ON loyalty.* TO 'loyalty_migrate'@'%' WITH GRANT OPTION;
GRANT CREATE, ALTER, INDEX, DROP, SELECT, INSERT, UPDATE, LOCK TABLES ON loyalty_history.* TO 'loyalty_migrate'@'%' WITH GRANT OPTION;
-- that it sees whether a restore has ended
GRANT SELECT ON `loyalty\_restoring`.* TO 'loyalty_migrate'@'%';
-- that the programs may ask a server of a group whether it is the primary; a comment to MariaDB
/*!80002 GRANT SELECT ON performance_schema.replication_group_members TO 'loyalty_migrate'@'%' WITH GRANT OPTION */;
