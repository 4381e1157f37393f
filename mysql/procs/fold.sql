-- A text with case and accents folded, for searching: its canonical decomposition (NFD) without nonspacing marks, each
-- character in lower case.  All else stays as it is.  It does not use a collation, for those of the two servers differ: one takes all
-- emoji for the same, one knows ss for ß.
DROP FUNCTION IF EXISTS fold;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' FUNCTION fold(p_text VARCHAR(200) CHARSET utf8mb4 COLLATE utf8mb4_bin)
  RETURNS VARBINARY(4000)
  READS SQL DATA
BEGIN
  DECLARE v_folded VARBINARY(4000) DEFAULT '';
  DECLARE v_at INT DEFAULT 1;
  DECLARE v_end INT DEFAULT CHAR_LENGTH(p_text);
  DECLARE v_c VARBINARY(4);
  DECLARE v_n INT;
  WHILE v_at <= v_end DO
    SET v_c = CAST(SUBSTRING(p_text, v_at, 1) AS BINARY), v_at = v_at + 1;
    IF v_c < X'80' THEN
      SET v_folded = CONCAT(v_folded, CAST(LOWER(CONVERT(v_c USING utf8mb4) COLLATE utf8mb4_bin) AS BINARY));
    ELSEIF v_c BETWEEN X'EAB080' AND X'ED9EA3' THEN
      -- Hangul: 21 vowels for each initial consonant, 27 final ones or none for each vowel
      SET v_n = CONV(HEX(CONVERT(CONVERT(v_c USING utf8mb4) USING utf32)), 16, 10) - 0xAC00;
      SET v_folded = CONCAT(v_folded, CAST(CONVERT(CONCAT(
        CHAR(0x1100 + v_n DIV 588 USING utf32), CHAR(0x1161 + v_n MOD 588 DIV 28 USING utf32),
        IF(v_n MOD 28 = 0, '', CHAR(0x11A7 + v_n MOD 28 USING utf32))) USING utf8mb4) AS BINARY));
    ELSEIF v_c BETWEEN X'E39080' AND X'E9BFBF' THEN
      SET v_folded = CONCAT(v_folded, v_c); -- Chinese: nothing to look up
    ELSE
      SET v_folded = CONCAT(v_folded, COALESCE((SELECT f FROM fold_map WHERE c = v_c), v_c));
    END IF;
  END WHILE;
  RETURN v_folded;
END$$
DELIMITER ;
