-- What a new guest is found by; see room_folded.sql.
DROP TRIGGER IF EXISTS user_folded;
CREATE DEFINER = 'loyalty_trigger'@'localhost' TRIGGER user_folded BEFORE INSERT ON user FOR EACH ROW SET NEW.name_folded = fold(NEW.name);
