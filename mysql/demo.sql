-- A believable hotel.  Loaded once, on request only (mysql/migrate --demo); the triggers write the history.
SET @loyalty_actor = 'demo', @loyalty_request_id = 'demo';
INSERT IGNORE INTO room (id, name, total_amount, available_amount, required_points, reservable) VALUES
  (X'd635c003fffc4beb87b8eaf3458cf772', 'Economy Single Room', 10, 10, 260, 1),
  (X'1b5a0c52f5a94b0c8a1c6b0f7d3e9a01', 'Economy Double Room', 14, 14, 390, 1),
  (X'2c6b1d63a6ba4c1d9b2d7c1a8e4fab02', 'Standard Single Room', 12, 12, 320, 1),
  (X'3d7c2e74b7cb4d2eac3e8d2b9f5abc03', 'Standard Double Room', 20, 20, 450, 1),
  (X'4e8d3f85c8dc4e3fbd4f9e3ca06bcd04', 'Twin Room with Garden View', 8, 8, 480, 1),
  (X'5f9e4a96d9ed4f4a8e5aaf4db17cde05', 'Superior Double Room', 10, 10, 560, 1),
  (X'6aaf5ba7eafe4a5b9f6bba5ec28def06', 'Family Room', 6, 6, 690, 1),
  (X'7bba6cb8fbaf4b6caa7ccb6fd39efa07', 'Accessible Double Room', 4, 4, 450, 1),
  (X'8ccb7dc9acba4c7dbb8ddc7ae4afab08', 'Junior Suite', 5, 5, 980, 1),
  (X'9ddc8edabdcb4d8e8c9eed8bf5babc09', 'Executive Suite', 3, 3, 1450, 1),
  (X'aeed9febcedc4e9f9dafae9ca6cbcd0a', 'Balcony Suite, Sea View', 2, 2, 1900, 1),
  (X'bffeaafcdfed4faaaebabfadb7dcde0b', 'Presidential Suite', 1, 1, 4800, 1),
  (X'caafbbadeafe4abbbfcbcabec8edef0c', 'Day Room (four hours)', 3, 3, 90, 1);
INSERT IGNORE INTO user (id, name, role, bonus_points) VALUES
  (X'b9fa7d71548c47398e6a0931cc218cd1', 'Jane Doe', 'USER', 0),
  (X'0f1e2d3c4b5a4697888796a5b4c3d2e1', 'Amadou Diallo', 'USER', 0),
  (X'1e2d3c4b5a694786978695a4b3c2d1e0', 'Zoë Müller-Østergård', 'USER', 0),
  (X'2d3c4b5a6978486796a5b4c3d2e1f00f', 'Mei Lin', 'USER', 0),
  (X'3c4b5a69788749768594a3b2c1d0e1f2', 'Poor Richard', 'USER', 0),
  (X'4b5a697887964a658493a2b1c0d1e2f3', 'Hotel Staff', 'ADMIN', 0);
SET @loyalty_reason = 'welcome';
UPDATE user SET bonus_points = 1500 WHERE id = X'b9fa7d71548c47398e6a0931cc218cd1' AND bonus_points = 0;
UPDATE user SET bonus_points = 5200 WHERE id = X'0f1e2d3c4b5a4697888796a5b4c3d2e1' AND bonus_points = 0;
UPDATE user SET bonus_points = 980 WHERE id = X'1e2d3c4b5a694786978695a4b3c2d1e0' AND bonus_points = 0;
UPDATE user SET bonus_points = 12400 WHERE id = X'2d3c4b5a6978486796a5b4c3d2e1f00f' AND bonus_points = 0;
UPDATE user SET bonus_points = 40 WHERE id = X'3c4b5a69788749768594a3b2c1d0e1f2' AND bonus_points = 0;
SET @loyalty_actor = NULL, @loyalty_request_id = NULL, @loyalty_reason = NULL;
