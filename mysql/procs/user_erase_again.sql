-- For a restore (mysql/loyalty-erasures): erase a guest of the backup who was erased after it was made; of one who is not there nothing
-- happens.  Reservations that were RESERVED then had ended before the erasure, nobody knows how: they are RELEASED, so that the unit is
-- back.  Nobody may execute it but who migrates.  Locks and results: those of reservation_release and user_erase.
DROP PROCEDURE IF EXISTS user_erase_again;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' PROCEDURE user_erase_again(p_id BINARY(16), p_request_id VARCHAR(64))
  MODIFIES SQL DATA
BEGIN
  DECLARE v_reservation BINARY(16);

  IF EXISTS (SELECT 1 FROM user WHERE id = p_id) THEN
    SELECT MIN(id) INTO v_reservation FROM reservation FORCE INDEX (reservation_user) WHERE user_id = p_id AND status = 'RESERVED';
    WHILE v_reservation IS NOT NULL DO
      CALL reservation_release('restore', p_request_id, NULL, NULL, v_reservation);
      SELECT MIN(id) INTO v_reservation FROM reservation FORCE INDEX (reservation_user) WHERE user_id = p_id AND status = 'RESERVED';
    END WHILE;
    CALL user_erase('restore', p_request_id, NULL, NULL, p_id, 'repeated after a restore');
  END IF;
END$$
DELIMITER ;
