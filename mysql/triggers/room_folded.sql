-- What a new room is found by.  Only where one is made: a trigger that knows fold costs each UPDATE the opening of its table, so
-- who renames does it (procs/room_change.sql).
DROP TRIGGER IF EXISTS room_folded;
CREATE DEFINER = 'loyalty_trigger'@'localhost' TRIGGER room_folded BEFORE INSERT ON room FOR EACH ROW SET NEW.name_folded = fold(NEW.name);
