-- The subject of a mail: one place for the notifier and for the list of the outbox.  The same for all mails of a
-- reservation but for "Re: ", and without the status: mail clients begin a new thread where it differs.
DROP FUNCTION IF EXISTS outbox_subject;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' FUNCTION outbox_subject(
  p_event VARCHAR(16), p_room VARCHAR(200), p_user VARCHAR(200), p_from VARCHAR(16), p_detail VARCHAR(200))
  RETURNS VARCHAR(700) CHARSET utf8mb4 COLLATE utf8mb4_bin
  DETERMINISTIC NO SQL
  RETURN IF(p_event = 'room', CONCAT('Room ', p_room, ': ', p_detail), CONCAT(IF(p_from IS NULL, '', 'Re: '), p_room, ' for ', p_user))$$
DELIMITER ;
