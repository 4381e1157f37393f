-- A text with case and accents folded, for searching: its canonical decomposition (NFD) without nonspacing marks, each
-- character in lower case.  All else stays as it is.  It does not use a collation, for those of the two servers differ: one takes all
-- emoji for the same, one knows ss for ß.
DROP FUNCTION IF EXISTS fold;
DELIMITER $$
CREATE DEFINER = 'loyalty_definer'@'localhost' FUNCTION fold(p_text VARCHAR(200) CHARSET utf8mb4 COLLATE utf8mb4_bin)
  RETURNS VARBINARY(4000)
  READS SQL DATA
BEGIN
  DECLARE v_folded VARBINARY(4000) DEFAULT CAST(p_text AS BINARY);
  -- only these are looked at: what a character becomes is folded, so the order does not matter
  DECLARE v_rest VARCHAR(200) CHARSET utf8mb4 COLLATE utf8mb4_bin DEFAULT REGEXP_REPLACE(p_text, '[ -~]', '');
  DECLARE v_c VARBINARY(4);
  DECLARE v_n INT;
  WHILE CHAR_LENGTH(v_rest) > 0 DO
    SET v_c = CAST(SUBSTRING(v_rest, 1, 1) AS BINARY), v_rest = SUBSTRING(v_rest, 2);
    IF v_c BETWEEN X'EAB080' AND X'ED9EA3' THEN
      -- Hangul: 21 vowels for each initial consonant, 27 final ones or none for each vowel
      SET v_n = CONV(HEX(CONVERT(CONVERT(v_c USING utf8mb4) USING utf32)), 16, 10) - 0xAC00;
      SET v_folded = REPLACE(v_folded, v_c, CAST(CONVERT(CONCAT(
        CHAR(0x1100 + v_n DIV 588 USING utf32), CHAR(0x1161 + v_n MOD 588 DIV 28 USING utf32),
        IF(v_n MOD 28 = 0, '', CHAR(0x11A7 + v_n MOD 28 USING utf32))) USING utf8mb4) AS BINARY));
    ELSEIF v_c NOT BETWEEN X'E39080' AND X'E9BFBF' THEN -- Chinese: nothing to look up
      SET v_folded = REPLACE(v_folded, v_c, COALESCE((SELECT f FROM fold_map WHERE c = v_c), v_c));
    END IF;
  END WHILE;
  RETURN CAST(LOWER(CONVERT(v_folded USING utf8mb4) COLLATE utf8mb4_bin) AS BINARY);
END$$
DELIMITER ;
GRANT EXECUTE ON FUNCTION fold TO 'loyalty_trigger'@'localhost';
