-- The subject of a mail: one place for the notifier and for the list of the outbox.
DROP FUNCTION IF EXISTS outbox_subject;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' FUNCTION outbox_subject(
  p_event VARCHAR(16), p_room VARCHAR(200), p_user VARCHAR(200), p_to VARCHAR(16), p_detail VARCHAR(200))
  RETURNS VARCHAR(700) CHARSET utf8mb4 COLLATE utf8mb4_bin
  DETERMINISTIC NO SQL
  RETURN IF(p_event = 'room', CONCAT('Room ', p_room, ': ', p_detail), CONCAT(p_to, ': ', p_room, ' for ', p_user))$$
DELIMITER ;
