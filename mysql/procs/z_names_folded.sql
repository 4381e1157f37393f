-- Fills name_folded of what was there before the column.  The last file of all: from here on every writer does it.
-- In pieces of 1,000 rows, so that nobody waits long for one.
DROP PROCEDURE IF EXISTS migrate_names_folded;
DELIMITER $$
CREATE PROCEDURE migrate_names_folded()
BEGIN
  REPEAT
    UPDATE room SET name_folded = fold(name) WHERE name_folded IS NULL LIMIT 1000;
  UNTIL ROW_COUNT() = 0 END REPEAT;
  REPEAT
    UPDATE user SET name_folded = fold(name) WHERE name_folded IS NULL LIMIT 1000;
  UNTIL ROW_COUNT() = 0 END REPEAT;
END$$
DELIMITER ;
CALL migrate_names_folded();
DROP PROCEDURE migrate_names_folded;
