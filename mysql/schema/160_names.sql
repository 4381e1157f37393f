-- Procedures that have another name now: what staff see of a room is called room, too; only a stay is released.
DROP PROCEDURE IF EXISTS stock_create;
DROP PROCEDURE IF EXISTS stock_change;
DROP PROCEDURE IF EXISTS outbox_release;
